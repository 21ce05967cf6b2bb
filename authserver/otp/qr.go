package otp

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quiet is the margin that readers want around a QR code, in modules.
const quiet = 4

// QR is a QR code for an SVG: a square of Size by Size units, and the Path of
// what is dark in it.
type QR struct {
	Size int
	Path string
}

// Draw makes the QR code of a text; one that is too long is an error.
func Draw(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, err
	}
	side := code.Bounds().Dx()
	var path strings.Builder
	for y := range side {
		drawRow(&path, code, y, side)
	}
	return QR{Size: side + 2*quiet, Path: path.String()}, nil
}

func drawRow(path *strings.Builder, code barcode.Barcode, y, side int) {
	for x := 0; x < side; x++ {
		n := 0
		for x+n < side && code.At(x+n, y) == color.Black {
			n++
		}
		if n > 0 {
			fmt.Fprintf(path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, n, n)
			x += n
		}
	}
}

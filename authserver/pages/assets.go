package pages

import (
	_ "embed"
	"net/http"
)

//go:embed style.css
var stylesheet []byte

//go:embed icon.svg
var icon []byte

//go:embed script.js
var script []byte

// Where the pages look for what goes with them, under the base.
const (
	StylePath  = "/style.css"
	IconPath   = "/icon.svg"
	ScriptPath = "/script.js"
)

// Stylesheet is the stylesheet.
func Stylesheet() string { return string(stylesheet) }

// WriteStyle writes the stylesheet.
func WriteStyle(w http.ResponseWriter) error {
	return writeAsset(w, "text/css; charset=utf-8", stylesheet)
}

// WriteIcon writes the icon that browsers put beside the title.
func WriteIcon(w http.ResponseWriter) error { return writeAsset(w, "image/svg+xml", icon) }

// WriteScript writes the script.
func WriteScript(w http.ResponseWriter) error {
	return writeAsset(w, "text/javascript; charset=utf-8", script)
}

func writeAsset(w http.ResponseWriter, kind string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(body) // the reader is gone: nobody to tell
	return nil
}

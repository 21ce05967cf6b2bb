package stdio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"

	"golang.org/x/time/rate"
)

const (
	lineLimit = 64 << 20 // bytes of one line of the child
	saidLimit = 2 << 10  // bytes of one line that is logged
)

var errLongLine = errors.New("stdio: line too long")

// lines reads lines of at most limit bytes. What is longer is read over and
// costs no memory.
type lines struct {
	source *bufio.Reader
	limit  int
}

func newLines(r io.Reader, limit int) *lines {
	return &lines{source: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// next is the next line without its end, the caller's to keep. errLongLine
// does not end the reading; what follows the last end of line is no line.
func (l *lines) next() ([]byte, error) {
	var line []byte
	for size := 0; ; {
		piece, err := l.source.ReadSlice('\n')
		size += len(piece)
		if size <= l.limit {
			line = append(line, piece...)
		} else {
			line = nil
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		case size > l.limit:
			return nil, errLongLine
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// logLines logs what the child writes to stderr, line by line, bounded in
// length and in number.
func logLines(r io.Reader, log *slog.Logger) {
	said := newLines(r, saidLimit)
	allowance := rate.NewLimiter(20, 200) // lines a second, and at once
	missed := 0
	for {
		line, err := said.next()
		if err != nil && !errors.Is(err, errLongLine) {
			return
		}
		if !allowance.Allow() {
			missed++
			continue
		}
		if missed > 0 {
			log.Warn("the child says more than is logged", "lines", missed)
			missed = 0
		}
		if err != nil {
			log.Info("the child says a line that is too long to log")
			continue
		}
		log.Info("the child says", "line", string(line))
	}
}

// brief is the beginning of a line, for the log.
func brief(line []byte) string { return string(line[:min(len(line), saidLimit)]) }

package trail

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Line is a JSON object being written, for Trail. Names are plain; values are
// quoted.
type Line struct{ text []byte }

// NewLine has room for a line of usual length.
func NewLine() *Line { return &Line{text: append(make([]byte, 0, 768), '{')} }

// End is the line, with its line feed. Nothing can be added after it.
func (l *Line) End() []byte { return append(l.text, '}', '\n') }

func (l *Line) name(name string) {
	if len(l.text) > 1 {
		l.text = append(l.text, ',')
	}
	l.text = append(l.text, '"')
	l.text = append(l.text, name...)
	l.text = append(l.text, '"', ':')
}

// Always writes a member, were its value empty.
func (l *Line) Always(name, value string) {
	l.name(name)
	l.quote(value)
}

// Some writes a member, unless its value is empty.
func (l *Line) Some(name, value string) {
	if value != "" {
		l.Always(name, value)
	}
}

// Number writes a value as it stands there: a number, true or false.
func (l *Line) Number(name, value string) {
	l.name(name)
	l.text = append(l.text, value...)
}

// Int writes a whole number.
func (l *Line) Int(name string, value int64) { l.Number(name, strconv.FormatInt(value, 10)) }

// List writes a list of strings, unless it is empty.
func (l *Line) List(name string, values []string) {
	if len(values) == 0 {
		return
	}
	l.name(name)
	for i, value := range values {
		l.text = append(l.text, "[,"[min(i, 1)])
		l.quote(value)
	}
	l.text = append(l.text, ']')
}

// quote writes a JSON string; what is not UTF-8 becomes U+FFFD.
func (l *Line) quote(value string) {
	l.text, _ = jsontext.AppendQuote(l.text, value)
}

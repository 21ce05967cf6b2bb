package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var strictBase64 = base64.RawURLEncoding.Strict()

// appendBase64 takes base64url without padding, in the one spelling its bytes
// have (RFC 7515 §2). The standard decoder skips line breaks even when strict.
func appendBase64(to, encoded []byte) ([]byte, error) {
	if bytes.IndexByte(encoded, '\r') >= 0 || bytes.IndexByte(encoded, '\n') >= 0 {
		return nil, errors.New("line break in base64url")
	}
	return strictBase64.AppendDecode(to, encoded)
}

// decodeObject takes exactly one JSON object. The decoder underneath refuses
// duplicate names, invalid UTF-8 and trailing data, and minds case.
func decodeObject(doc []byte, into any) error {
	if doc = bytes.TrimLeft(doc, " \t\r\n"); len(doc) == 0 || doc[0] != '{' {
		return errors.New("not a JSON object")
	}
	return json.Unmarshal(doc, into)
}

// Text is a JSON string. Unlike a plain string it refuses null, so that an
// absent member is the only way to be empty without saying "".
type Text string

// UnmarshalJSON takes a JSON string only.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' {
		return errors.New("not a JSON string")
	}
	if bytes.IndexByte(b, '\\') < 0 {
		*t = Text(b[1 : len(b)-1])
		return nil
	}
	plain, err := jsontext.AppendUnquote(nil, b)
	if err != nil {
		return err
	}
	*t = Text(plain)
	return nil
}

// present notes that a member is there, whatever its value.
type present bool

func (p *present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}

// A NumericDate is seconds since the epoch (RFC 7519 §2). Only whole or
// fractional numbers from 0 to 253402300799 decode; anything else is an
// error, exponents and null included. Digits after the ninth of a fraction
// are dropped. Its zero value is an absent date, not 1970.
type NumericDate struct{ time.Time }

// lastSecond is the end of the year 9999, the last that RFC 3339 can write.
const lastSecond = 253402300799

// UnmarshalJSON takes digits with an optional fraction.
func (d *NumericDate) UnmarshalJSON(b []byte) error {
	whole, fraction, _ := strings.Cut(string(b), ".")
	seconds, err := ParseSeconds(whole)
	if err != nil {
		return err
	}
	if len(fraction) > 9 {
		fraction = fraction[:9]
	}
	nanos, err := parseDigits(fraction + strings.Repeat("0", 9-len(fraction)))
	if err != nil {
		return err
	}
	d.Time = time.Unix(seconds, nanos)
	return nil
}

// MarshalJSON writes whole seconds.
func (d NumericDate) MarshalJSON() ([]byte, error) {
	seconds := d.Unix()
	if seconds < 0 || seconds > lastSecond {
		return nil, fmt.Errorf("%v is not a NumericDate", d.Time)
	}
	return strconv.AppendInt(nil, seconds, 10), nil
}

// ParseSeconds reads whole seconds since the epoch, 0 to 253402300799, as a
// JSON integer without sign, fraction or exponent.
func ParseSeconds(digits string) (int64, error) {
	seconds, err := parseDigits(digits)
	if err != nil {
		return 0, err
	}
	if seconds > lastSecond {
		return 0, errors.New("date beyond the year 9999")
	}
	return seconds, nil
}

// parseDigits refuses the signs that strconv would take.
func parseDigits(s string) (int64, error) {
	if s == "" || len(s) > 12 || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("not a plain number of seconds")
	}
	return strconv.ParseInt(s, 10, 64)
}

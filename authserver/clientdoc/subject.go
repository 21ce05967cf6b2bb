package clientdoc

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

var errSubject = errors.New("not a distinguished name as RFC 4514 writes it")

// SubjectIs says whether the subject of a certificate, in DER, is the one that
// text names (RFC 4514): the same steps in the same order, each of the same
// attributes, values compared byte by byte. It reads the encoded name, because
// x509 keeps neither order, nor grouping, nor what stands there twice.
func SubjectIs(der []byte, text string) bool {
	want, err := parseSubject(text)
	if err != nil {
		return false
	}
	var got []stepSET
	if rest, err := asn1.Unmarshal(der, &got); err != nil || len(rest) > 0 {
		return false
	}
	slices.Reverse(got) // RFC 4514 §2.1: the text begins at the end
	return slices.EqualFunc(got, want, stepSET.is)
}

// stepSET is one step of an encoded name; package asn1 knows it by its name.
type stepSET []encoded

type encoded struct {
	Kind  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// is: X.501 §9.3: no kind of attribute stands twice in a step, so as many of
// which each is found are the same.
func (s stepSET) is(want []attribute) bool {
	if len(s) != len(want) {
		return false
	}
	for _, w := range want {
		if !slices.ContainsFunc(s, func(e encoded) bool { return e.is(w) }) {
			return false
		}
	}
	return true
}

func (e encoded) is(want attribute) bool {
	if e.Kind.String() != want.kind {
		return false
	}
	if want.der {
		return string(e.Value.FullBytes) == want.value
	}
	return e.text() && string(e.Value.Bytes) == want.value
}

// text says whether the value is one of the strings whose bytes are UTF-8.
// Others can be named in hexadecimal only.
func (e encoded) text() bool {
	switch e.Value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
		return e.Value.Class == asn1.ClassUniversal && utf8.Valid(e.Value.Bytes)
	}
	return false
}

// attribute is what a text says of one: its kind as an OID, and its value, a
// string, or the DER of anything.
type attribute struct {
	kind, value string
	der         bool
}

// kinds are those that RFC 4514 §3 names, and two that are common beside them.
var kinds = map[string]string{
	"CN": "2.5.4.3", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "STREET": "2.5.4.9",
	"O": "2.5.4.10", "OU": "2.5.4.11", "POSTALCODE": "2.5.4.17",
	"UID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25",
}

// parseSubject reads a name: RFC 4514 §3, and nothing that RFC 2253 or LDAP
// tools take beside it, so that a text has one meaning.
func parseSubject(text string) (steps [][]attribute, err error) {
	if text == "" || !utf8.ValidString(text) {
		return nil, errSubject
	}
	var step []attribute
	for {
		end := unescaped(text, ",+")
		a, err := parseAttribute(text[:end])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(step, func(known attribute) bool { return known.kind == a.kind }) {
			return nil, errSubject
		}
		step = append(step, a)
		if end == len(text) {
			return append(steps, step), nil
		}
		if text[end] == ',' {
			steps, step = append(steps, step), nil
		}
		text = text[end+1:]
	}
}

// unescaped is where the first of these characters stands without a backslash
// before it; the end, where none does.
func unescaped(text, any string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte(any, text[i]) >= 0 {
			return i
		}
	}
	return len(text)
}

func parseAttribute(text string) (attribute, error) {
	name, value, ok := strings.Cut(text, "=")
	kind := kinds[strings.ToUpper(name)] // RFC 4512 §1.4: in any case
	if kind == "" && oid(name) {
		kind = name
	}
	if !ok || kind == "" || value == "" {
		return attribute{}, errSubject
	}
	if digits, ok := strings.CutPrefix(value, "#"); ok {
		der, err := hex.DecodeString(digits)
		if err != nil || len(der) == 0 {
			return attribute{}, errSubject
		}
		return attribute{kind, string(der), true}, nil
	}
	value, err := unescape(value)
	return attribute{kind, value, false}, err
}

// oid: RFC 4512 §1.4: numbers without leading zeros.
func oid(text string) bool {
	numbers := strings.Split(text, ".")
	return len(numbers) > 1 && !slices.ContainsFunc(numbers, func(n string) bool {
		return n == "" || len(n) > 1 && n[0] == '0' || strings.Trim(n, "0123456789") != ""
	})
}

// unescape reads the string of an attribute: RFC 4514 §2.4. Spaces at its ends
// are escaped, and so is what ends a string or is reserved.
func unescape(text string) (string, error) {
	if text[0] == ' ' {
		return "", errSubject
	}
	var value []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if strings.IndexByte("\x00\"+,;<>", c) >= 0 || c == ' ' && i == len(text)-1 {
			return "", errSubject
		}
		if c != '\\' {
			value = append(value, c)
			continue
		}
		plain, used := escaped(text[i+1:])
		if used == 0 {
			return "", errSubject
		}
		value = append(value, plain)
		i += used
	}
	if !utf8.Valid(value) {
		return "", errSubject
	}
	return string(value), nil
}

// escaped is the byte that an escape stands for, and how long it is without its
// backslash: 0 where it is none.
func escaped(after string) (b byte, used int) {
	if after != "" && strings.IndexByte(` "#+,;<=>\`, after[0]) >= 0 {
		return after[0], 1
	}
	if len(after) >= 2 {
		if pair, err := hex.DecodeString(after[:2]); err == nil {
			return pair[0], 2
		}
	}
	return 0, 0
}

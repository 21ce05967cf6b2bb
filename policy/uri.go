package policy

import (
	"strings"
	"unicode/utf8"
)

const maxURI = 4096 // bytes; longer ones match nothing

// uriMistake says why two readers could understand uri as different things,
// or "". Such a URI matches no rule: a server that normalises it could end up
// at something another rule guards.
//
// It does not check that uri is a URI, and knows nothing of Unicode
// normalisation: a server that folds NFD to NFC has to be given both spellings.
func uriMistake(uri string) string {
	if len(uri) > maxURI {
		return "longer than 4096 bytes"
	}
	if !utf8.ValidString(uri) {
		return "not UTF-8"
	}
	for i := range len(uri) {
		if mistake := byteMistake(uri, i); mistake != "" {
			return mistake
		}
	}
	return pathMistake(uri)
}

func byteMistake(uri string, i int) string {
	switch b := uri[i]; {
	case b <= 0x20 || b == 0x7f:
		return "a space or control character"
	case b == '\\':
		return `a backslash`
	case b == '#':
		return "a fragment"
	case b == '%':
		return escapeMistake(uri[i:])
	}
	return ""
}

// escapeMistake judges the percent escape that text begins with.
func escapeMistake(text string) string {
	b, ok := unescape(text)
	if !ok {
		return "a % that is not followed by two hexadecimal digits"
	}
	// RFC 3986 §6.2.2.2: an escaped unreserved character is the character.
	if isUnreserved(b) {
		return "an escape of a character that needs none"
	}
	if b == '/' || b == '\\' || b < 0x20 || b == 0x7f {
		return "an escaped slash, backslash or control character"
	}
	if _, twice := unescape("%" + text[3:]); b == '%' && twice {
		return "a doubly escaped character"
	}
	return ""
}

// pathMistake refuses the segments that RFC 3986 §5.2.4 and file systems remove.
func pathMistake(uri string) string {
	segments := strings.FieldsFunc(uri, func(r rune) bool { return strings.ContainsRune("/?;=&:", r) })
	for _, segment := range segments {
		if segment == "." || segment == ".." {
			return "a dot segment"
		}
	}
	if strings.Contains(afterAuthority(uri), "//") {
		return "an empty path segment"
	}
	return ""
}

// afterAuthority is uri after "scheme://" (the authority may be empty, as in
// file:///), without the query.
func afterAuthority(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	if _, rest, found := strings.Cut(uri, "://"); found {
		return rest
	}
	return uri
}

// canonical spells every byte of uri one way: escapes in upper case, what is
// not ASCII escaped (RFC 3986 §6.2.2.1, RFC 3987 §3.1).
func canonical(uri string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(uri); i++ {
		b := uri[i]
		escaped, isEscape := unescape(uri[i:])
		switch {
		case isEscape:
			out.WriteByte('%')
			out.WriteByte(digits[escaped>>4])
			out.WriteByte(digits[escaped&15])
			i += 2
		case b >= utf8.RuneSelf:
			out.WriteByte('%')
			out.WriteByte(digits[b>>4])
			out.WriteByte(digits[b&15])
		default:
			out.WriteByte(b)
		}
	}
	return out.String()
}

// unescape reads the percent escape that text begins with.
func unescape(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := hexDigit(text[1]), hexDigit(text[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

func isUnreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~", b) >= 0
}

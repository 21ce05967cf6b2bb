package proxy_test

import (
	"errors"
	"strings"
)

// parseChallenge reads one challenge by the grammar of RFC 9110 §11.2–11.3:
// scheme, one space, comma-separated auth-params, each once.
func parseChallenge(text string) (scheme string, params map[string]string, err error) {
	scheme, rest, ok := strings.Cut(text, " ")
	if !ok || !isToken(scheme) {
		return "", nil, errors.New("no scheme followed by a space")
	}
	params = map[string]string{}
	for rest != "" {
		var name, value string
		if name, value, rest, err = parseParam(rest); err != nil {
			return "", nil, err
		}
		if _, twice := params[name]; twice {
			return "", nil, errors.New("parameter twice: " + name)
		}
		params[name] = value
	}
	return scheme, params, nil
}

func parseParam(text string) (name, value, rest string, err error) {
	name, rest, ok := strings.Cut(text, "=\"")
	if !ok || !isToken(name) {
		return "", "", "", errors.New("no name=\" at: " + text)
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		case c == '"':
			return name, b.String(), strings.TrimPrefix(rest[i+1:], ", "), separated(rest[i+1:])
		case c < 0x20 && c != '\t', c == 0x7f:
			return "", "", "", errors.New("control character")
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", errors.New("unterminated quoted-string")
}

func separated(rest string) error {
	if rest == "" || strings.HasPrefix(rest, ", ") && len(rest) > 2 {
		return nil
	}
	return errors.New("parameters not separated by a comma: " + rest)
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

package externaldb

import "strings"

// oneStatement tells whether SQLite would read text as a single statement. It
// follows SQLite's tokenizer, and where that is subtle it says no. PostgreSQL
// needs no such reading: its extended protocol takes one statement only.
func oneStatement(text string) error {
	ended := false
	for at := 0; at < len(text); {
		next := tokenEnd(text, at)
		token := text[at:next]
		switch {
		case isBlank(token):
		case token == ";":
			ended = true
		case ended || isOddVariable(text, next):
			return errOneStatement
		}
		at = next
	}
	return nil
}

// tokenEnd finds the end of a quoted text, a comment, or a single byte.
func tokenEnd(text string, at int) int {
	rest := text[at:]
	switch {
	case strings.HasPrefix(rest, "--"):
		return closing(text, at+2, "\n")
	case strings.HasPrefix(rest, "/*"):
		return closing(text, at+2, "*/")
	case rest[0] == '[':
		return closing(text, at+1, "]")
	case rest[0] == '\'', rest[0] == '"', rest[0] == '`':
		return closing(text, at+1, rest[:1]) // a doubled quote begins the next one
	}
	return at + 1
}

func closing(text string, from int, mark string) int {
	if i := strings.Index(text[min(from, len(text)):], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(text)
}

func isBlank(token string) bool {
	return strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*") || strings.Trim(token, " \t\n\f\r") == ""
}

// isOddVariable finds Tcl-style variables such as $a(…), inside whose
// parentheses SQLite reads quotes and semicolons as part of the name.
func isOddVariable(text string, at int) bool {
	if at >= len(text) || text[at] != '(' {
		return false
	}
	name := strings.TrimRightFunc(text[:at], isNameRune)
	return name != "" && strings.ContainsRune("$@:#", rune(name[len(name)-1]))
}

func isNameRune(r rune) bool {
	return r == '_' || r >= 0x80 || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

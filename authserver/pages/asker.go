package pages

import (
	"strings"
	"unicode"
)

// Asker is the application that asks, and who vouches for it.
type Asker struct {
	Client     string // what it calls itself, "" for nothing
	ClientHost string // whose client it says it is, "" when nobody vouches
	Verified   bool   // the host proved it
	Known      bool   // an administrator of this server registered it
	Site       string // what this server is called
	Command    bool   // it is the command line of this server, or says so
}

// Nameless: it has no name to be shown.
func (a Asker) Nameless() bool { return strings.TrimSpace(a.Client) == "" }

// Vouched: somebody else than the application itself says who it is.
func (a Asker) Vouched() bool { return a.Verified || a.Known || a.Command }

// Poses says that nobody vouches for it, and its name is like that of this server.
func (a Asker) Poses() bool {
	name, site := letters(a.Client), letters(a.Site)
	near := strings.Contains(name, "postern") || site != "" && name == site || len(site) > 7 && strings.Contains(name, site)
	return near && !a.Vouched()
}

// letters are those and the digits of a text, in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// Disguised says that the name imitates another one.
func (a Asker) Disguised() bool { return disguised(a.Client) }

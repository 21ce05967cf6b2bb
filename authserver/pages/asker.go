package pages

import "strings"

// Asker is the application that asks, and who vouches for it.
type Asker struct {
	Client     string // what it calls itself, "" for nothing
	ClientHost string // whose client it says it is, "" when nobody vouches
	Verified   bool   // the host proved it
	Known      bool   // an administrator of this server registered it
	Command    bool   // it is the command line of this server, or says so
}

// Nameless: it has no name to be shown.
func (a Asker) Nameless() bool { return strings.TrimSpace(a.Client) == "" }

// Vouched: somebody else than the application itself says who it is.
func (a Asker) Vouched() bool { return a.Verified || a.Known || a.Command }

// Disguised says that the name imitates another one.
func (a Asker) Disguised() bool { return disguised(a.Client) }

package pages

import "testing"

func TestNamesLikeThatOfThisServer(t *testing.T) {
	for name, row := range map[string]struct {
		asker Asker
		want  bool
	}{
		"another name":          {Asker{Client: "Claude", Site: "auth.example.com"}, false},
		"Postern":               {Asker{Client: "Postern"}, true},
		"within other words":    {Asker{Client: "The POSTERN-Admin tool"}, true},
		"with spaces":           {Asker{Client: "P o s t e r n"}, true},
		"the address":           {Asker{Client: "Login at Auth.Example.com", Site: "auth.example.com"}, true},
		"a short address":       {Asker{Client: "Maxio", Site: "x.io"}, false},
		"that, and no more":     {Asker{Client: "X.io", Site: "x.io"}, true},
		"no name, no address":   {Asker{}, false},
		"of an administrator":   {Asker{Client: "Postern", Known: true}, false},
		"the command":           {Asker{Client: "postern admin", Command: true}, false},
		"of a host that proved": {Asker{Client: "Postern", ClientHost: "a.example", Verified: true}, false},
		"of one that did not":   {Asker{Client: "Postern", ClientHost: "a.example"}, true},
	} {
		if got := row.asker.Poses(); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

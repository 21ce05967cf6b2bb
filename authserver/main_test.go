package authserver

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain demands of a run of everything that every event was put on record in
// it, so that the sieve has looked at a line of each.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		code = unseen()
	}
	os.Exit(code)
}

func unseen() (code int) {
	for name := range happenings {
		if _, seen := happened.Load(string(name)); !seen {
			fmt.Fprintf(os.Stderr, "no test puts %s on record\n", name)
			code = 1
		}
	}
	return code
}

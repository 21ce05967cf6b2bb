package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Who is given the administration without a second factor is told of: the role
// does not count until they have one.
func TestRolesThatNeedASecondFactor(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one")
	config := filepath.Join(v.folder, "postern.yaml")
	run := func(args ...string) (int, string, string) { return v.admin(append([]string{"-c", config}, args...)...) }
	if code, _, errs := run("user", "create", "eve", "--no-password", "--full-name", "Eve Adams"); code != exitFine {
		t.Fatal(errs)
	}
	for _, row := range []struct {
		args       string
		code       int
		says, left string // what is said, and the roles afterwards
	}{
		{"give admin", exitUsage, "this would let eve (Eve Adams) administer this server: say --yes, because there is no terminal to ask at", "[]"},
		{"give admin --yes", exitFine, "eve (Eve Adams) has no second factor, and the role admin counts with one only: they set it up at http://127.0.0.1:8090/account/security.", `[{"role":"admin","source":"assigned"}]`},
		{"give user", exitFine, "", `[{"role":"admin","source":"assigned"},{"role":"user","source":"assigned"}]`},
		{"give user", exitFine, "", `[{"role":"admin","source":"assigned"},{"role":"user","source":"assigned"}]`},
		{"take admin", exitFine, "", `[{"role":"user","source":"assigned"}]`},
		{"take admin", exitFindings, `no administrator gave eve (Eve Adams) the role "admin"; see: postern admin role holders --role admin`, `[{"role":"user","source":"assigned"}]`},
		{"give king", exitFindings, `There is no role "king"`, `[{"role":"user","source":"assigned"}]`},
	} {
		code, out, errs := run(append([]string{"role"}, append(strings.Fields(row.args), "--user", "eve")...)...)
		if code != row.code || out != "" || (row.says == "") != (spoken(errs) == "") || !strings.Contains(errs, row.says) {
			t.Errorf("%s: exit %d\n%s%s", row.args, code, out, errs)
		}
		if _, out, _ := run("user", "show", "eve", "-o", "json"); !strings.Contains(out, `"roles":`+row.left) {
			t.Errorf("%s: %s", row.args, out)
		}
	}
}

// spoken is what stands on stderr for people: without the lines that put on
// record what the operator did.
func spoken(errs string) string {
	var said strings.Builder
	for line := range strings.Lines(errs) {
		if !strings.HasPrefix(line, "time=") {
			said.WriteString(line)
		}
	}
	return said.String()
}

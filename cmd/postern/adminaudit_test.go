package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What an operator does at the database is on record: in the configured file, or
// on stderr; what they only look at, or may not do, is not in the way of anything.
func TestOperatorsCommandsAreOnRecord(t *testing.T) {
	for name, more := range map[string]string{"a file": "\naudit: {file: audit.jsonl}", "stdout": "\naudit: {stdout: true}", "nowhere": ""} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.configure("secret_file: one" + more)
			path, file := filepath.Join(v.folder, "postern.yaml"), filepath.Join(v.folder, "audit.jsonl")
			code, out, errs := runIn(t, "admin", "-c", path, "user", "create", "ada")
			if code != exitFine || strings.Contains(out, "user.created") {
				t.Fatalf("exit %d\n%s%s", code, out, errs)
			}
			record := errs
			if more != "" && !strings.Contains(more, "stdout") {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				record = strings.NewReplacer(`"`, "", ":", "=").Replace(string(text))
				if strings.Contains(errs, "user.created") {
					t.Errorf("twice: %s", errs)
				}
			}
			if strings.Count(record, "user.created") != 1 || !strings.Contains(record, "actor=operator") {
				t.Errorf("not on record: %s", record)
			}
			if code, _, errs = runIn(t, "admin", "-c", path, "user", "list"); code != exitFine || errs != "" {
				t.Errorf("exit %d: %s", code, errs)
			}
			if code, _, errs = runIn(t, "admin", "-c", path, "user", "show", "nobody"); code == exitFine || strings.Contains(errs, "admin.refused") {
				t.Errorf("exit %d: %s", code, errs)
			}
		})
	}
}

// Nothing is done where it could not be put on record.
func TestNoCommandOffTheRecord(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one\naudit: {file: absent/audit.jsonl}")
	path := filepath.Join(v.folder, "postern.yaml")
	code, _, errs := runIn(t, "admin", "-c", path, "user", "create", "ada")
	if code == exitFine || !strings.Contains(errs, "could not be put on record") {
		t.Errorf("exit %d: %s", code, errs)
	}
	v.configure("secret_file: one\naudit: {file: /dev/full}")
	if code, _, errs = runIn(t, "admin", "-c", path, "client", "create", "robot", "--scope", "use"); code == exitFine || errs == "" {
		t.Errorf("exit %d: %s", code, errs)
	}
}

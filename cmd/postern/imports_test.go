package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/postern-mcp/postern/"

// allowed says, per room, which rooms of the project it may import. Rooms that
// are not named here may import none.
var allowed = map[string][]string{
	"config":                {"config/strictyaml", "policy/rate", "authserver/clientdoc", "authserver/risk", "authserver/role"},
	"policy":                {"config/strictyaml", "policy/rate"},
	"proxy":                 {"policy", "policy/rate", "proxy/mcp", "authserver/pace", "authserver/token", "authserver/dpop", "authserver/jose", "authserver/status", "authserver/trail", "proxy/discovery"},
	"proxy/mcp":             {"policy"},
	"proxy/credential":      {"proxy/watched", "proxy", "proxy/discovery", "authserver/token", "authserver/dpop", "authserver/jose"},
	"proxy/handshake":       {"proxy/watched"},
	"proxy/stdio":           {"proxy"},
	"authserver":            {"authserver/*", "policy/rate"},
	"authserver/store":      {"authserver/clientdoc"},
	"authserver/shortlived": {"authserver/store"},
	"authserver/keyring":    {"authserver/jose", "authserver/store"},
	"authserver/console":    {"authserver/admin", "authserver/pages", "authserver/clientdoc", "authserver/risk"},
	"authserver/admin":      {"authserver/trail"},
	"authserver/pages":      {"authserver/legible"},
	"authserver/clientdoc":  {"authserver/legible", "authserver/jose", "authserver/reach"},
	"authserver/upstream":   {"authserver/legible", "authserver/jose", "authserver/reach"},
	"authserver/token":      {"authserver/jose"},
	"authserver/dpop":       {"authserver/jose"},
	"authserver/replay":     {"authserver/dpop"},
	"authserver/pace":       {"policy/rate"},
	"authserver/risk":       {"policy/rate"},
	"authserver/status":     {"authserver/jose"},
	"mcpservers/calculator": {"mcpservers"},
	"mcpservers/externaldb": {"mcpservers"},
	"mcpservers/servertest": {"mcpservers"},

	"authserver/store/storetest":       {"authserver/store"},
	"authserver/upstream/upstreamtest": {"authserver/jose"},
}

// keeper is the one room that may import a library which must stay replaceable.
var keeper = map[string]string{
	"gopkg.in/yaml.v3":                "config/strictyaml",
	"github.com/lestrrat-go/jwx/v2":   "authserver/jose",
	"github.com/go-webauthn/webauthn": "authserver/passkey",
	"github.com/pquerna/otp":          "authserver/otp",
	"github.com/coreos/go-oidc/v3":    "authserver/upstream",
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestWhoMayImportWhom(t *testing.T) {
	for _, p := range goList(t) {
		room, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || strings.HasPrefix(room, "cmd/") {
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && !may(room, other) {
				t.Errorf("%s imports %s", room, other)
			}
			for library, home := range keeper {
				if strings.HasPrefix(imported, library) && room != home {
					t.Errorf("%s imports %s, which belongs behind %s", room, imported, home)
				}
			}
		}
	}
}

func may(room, other string) bool {
	for _, pattern := range allowed[room] {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if pattern == other || wild && strings.HasPrefix(other, prefix) {
			return true
		}
	}
	return false
}

func goList(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "../../...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// TestTopLevelIsFixed: whoever comes back finds the house as it was.
func TestTopLevelIsFixed(t *testing.T) {
	fixed := strings.Fields("cmd proxy authserver policy mcpservers config deploy docs go.mod go.sum Makefile README.md LICENSE .ci .gitignore .git")
	ignored, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ignored)) {
		fixed = append(fixed, strings.Trim(strings.TrimSpace(line), "/"))
	}
	found, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		if !slices.Contains(fixed, entry.Name()) {
			t.Errorf("%s does not belong at the top level", entry.Name())
		}
	}
}

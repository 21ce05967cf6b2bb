package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// authorizationInput is what conformance-authorization.mjs takes.
type authorizationInput struct {
	Suite    string   `json:"suite"`
	Args     []string `json:"args"`
	Issuer   string   `json:"issuer"`
	User     person   `json:"user"`
	Chromium string   `json:"chromium"`
}

// TestConformanceOfTheIssuer runs the suite's authorization mode: metadata,
// and a code grant that a person at a browser signs in for.
func TestConformanceOfTheIssuer(t *testing.T) {
	s := setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}})
	s.open(t)
	user := person{"ada", adasPassword}
	s.administer(t, user.Password+"\n", "user", "create", user.Username, "--password-stdin")
	port := freePort(t)
	id := s.register(t, fmt.Sprintf("http://127.0.0.1:%d/callback", port))
	for name, extra := range map[string][]string{"no resource": nil, "with a resource": {"--resource", s.resource("only")}} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--url", s.issuer, "--client-id", id, "--port", strconv.Itoa(port)}, extra...)
			var found struct {
				Output string `json:"output"`
				Status int    `json:"status"`
				Person string `json:"person"` // what kept the person from finishing
				Pages  []page `json:"pages"`
			}
			ask(t, "conformance-authorization.mjs", authorizationInput{suite, args, s.issuer, user, chromium(t)}, &found)
			passed := regexp.MustCompile(`(?m)^✓ (\S+): (\d+) passed, 0 failed`).FindAllString(found.Output, -1)
			if found.Status != 0 || len(passed) != 2 {
				t.Fatalf("the suite ends with %d: %s\n%s", found.Status, found.Person, found.Output)
			}
			t.Logf("authorization mode, %s: %d of 2 scenarios\n%s", name, len(passed), strings.Join(passed, "\n"))
		})
	}
}

// register registers a client without a secret, for these grants more than codes.
func (s *stage) register(t *testing.T, redirect string, grants ...string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"client_name": "suite", "redirect_uris": []string{redirect}, "token_endpoint_auth_method": "none",
		"grant_types": append([]string{"authorization_code"}, grants...),
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, s.issuer+"/register", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	var registered struct {
		ID string `json:"client_id"`
	}
	body := fetch(t, req)
	if err := json.Unmarshal(body, &registered); err != nil || registered.ID == "" {
		t.Fatalf("not registered: %v\n%s", err, strings.TrimSpace(string(body)))
	}
	return registered.ID
}

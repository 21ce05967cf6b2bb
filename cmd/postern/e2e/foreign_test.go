package e2e

import (
	"net/http"
	"testing"
)

// machineInput is what machine.mjs takes.
type machineInput struct {
	Issuer    string         `json:"issuer"`
	Algorithm string         `json:"algorithm,omitempty"` // of discovery: oidc or oauth2
	Method    string         `json:"method,omitempty"`    // of client authentication: post or basic
	Client    machine        `json:"client"`
	Calls     []presentation `json:"calls"`
}

// presentation is one token and one call with it.
type presentation struct {
	Label    string         `json:"label"`
	Resource string         `json:"resource"`
	Scope    string         `json:"scope"`
	Bound    bool           `json:"bound"` // ask for the token with a proof
	Proof    bool           `json:"proof"` // present it with one
	URL      string         `json:"url"`
	Tool     string         `json:"tool"`
	Args     map[string]any `json:"args"`
}

// presented is what came of it. Challenges were parsed by oauth4webapi, which
// refuses those that do not parse.
type presented struct {
	TokenType  string `json:"tokenType"`
	Status     int    `json:"status"`
	Body       string `json:"body"`
	Challenges []struct {
		Scheme     string            `json:"scheme"`
		Parameters map[string]string `json:"parameters"`
	} `json:"challenges"`
}

func (p presented) blamed() map[string]string {
	errors := map[string]string{}
	for _, c := range p.Challenges {
		errors[c.Scheme] = c.Parameters["error"]
	}
	return errors
}

// foreignIssuer starts npm oidc-provider for these resources.
func foreignIssuer(t *testing.T, client machine, resources ...string) string {
	t.Helper()
	return startForeign(t, map[string]any{"resources": resources, "client": client, "scope": "use more"})
}

func startForeign(t *testing.T, input map[string]any) string {
	t.Helper()
	var announced struct {
		Issuer string `json:"issuer"`
	}
	serve(t, "foreign-issuer.mjs", input, &announced)
	return announced.Issuer
}

func TestForeignIssuerByConfigurationAlone(t *testing.T) {
	robot := machine{ID: "robot", Secret: "a-secret-long-enough-for-every-algorithm"}
	public := "http://" + loopback(freePort(t)) // the issuer knows it before the proxy runs
	resource, elsewhere := public+"/recorder/mcp", "https://elsewhere.example/mcp"
	foreign := foreignIssuer(t, robot, resource, elsewhere)
	up := newUpstream(t, echo)
	startProxy(t, settings{issuer: foreign, upstream: up.url, publicURL: public})

	rows := []struct {
		presentation
		tokenType string
		status    int
		scheme    string // whose challenge carries the error
		error     string
	}{
		{presentation{Label: "bound, with proof", Resource: resource, Scope: "use", Bound: true, Proof: true}, "dpop", http.StatusOK, "", ""},
		{presentation{Label: "bound, as bearer", Resource: resource, Scope: "use", Bound: true}, "dpop", http.StatusUnauthorized, "dpop", "invalid_token"},
		{presentation{Label: "never bound", Resource: resource, Scope: "use"}, "bearer", http.StatusUnauthorized, "dpop", "invalid_token"},
		{presentation{Label: "for another resource", Resource: elsewhere, Scope: "use", Bound: true, Proof: true}, "dpop", http.StatusUnauthorized, "dpop", "invalid_token"},
		{presentation{Label: "without the scope", Resource: resource, Scope: "more", Bound: true, Proof: true}, "dpop", http.StatusForbidden, "dpop", "insufficient_scope"},
	}
	in := machineInput{Issuer: foreign, Client: robot}
	for _, row := range rows {
		row.URL, row.Tool, row.Args = resource, "echo", map[string]any{}
		in.Calls = append(in.Calls, row.presentation)
	}
	var found struct {
		Calls map[string]presented `json:"calls"`
	}
	ask(t, "machine.mjs", in, &found)
	for _, row := range rows {
		got := found.Calls[row.Label]
		if got.TokenType != row.tokenType || got.Status != row.status || got.blamed()[row.scheme] != row.error {
			t.Errorf("%s: %+v, want a %s token, status %d, error %q", row.Label, got, row.tokenType, row.status, row.error)
		}
	}
	if n := len(up.all()); n != 1 {
		t.Errorf("the upstream got %d requests, want only the accepted one", n)
	}
}

// TestOpenIDClientAsMachine runs the strict OAuth client against our own issuer.
func TestOpenIDClientAsMachine(t *testing.T) {
	up := shared.get(t)
	endpoint := up.Servers["calculator"]
	call := presentation{Resource: endpoint, Scope: "calc:basic", URL: endpoint, Tool: "add", Args: map[string]any{"a": 2, "b": 3}}
	bound, bearer := call, call
	bound.Label, bound.Bound, bound.Proof = "bound", true, true
	bearer.Label = "bearer"
	for name, in := range map[string]machineInput{
		"OpenID discovery, basic": {Algorithm: "oidc", Method: "basic"},
		"OAuth discovery, post":   {Algorithm: "oauth2", Method: "post"},
	} {
		t.Run(name, func(t *testing.T) {
			in.Issuer, in.Client, in.Calls = up.Issuer, up.Client, []presentation{bound, bearer}
			var found struct {
				Calls map[string]presented `json:"calls"`
			}
			ask(t, "machine.mjs", in, &found)
			for label, want := range map[string]string{"bound": "dpop", "bearer": "bearer"} {
				if got := found.Calls[label]; got.TokenType != want || got.Status != http.StatusOK {
					t.Errorf("%s: %+v", label, got)
				}
			}
		})
	}
}

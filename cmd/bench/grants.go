package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// signatures are what a case cannot do without.
type signatures struct{ made, checked float64 }

// grantCase is one kind of call of the authorization server.
type grantCase struct {
	name string
	cost signatures
	arm  func(b *bureau, n int) (*subject, error) // prepares n calls
}

var grantCases = []grantCase{
	{"credentials", signatures{1, 0}, (*bureau).credentials},
	{"credentials + DPoP", signatures{1, 1}, (*bureau).boundCredentials},
	{"code + DPoP", signatures{1, 1}, (*bureau).redemptions},
	{"refresh + DPoP", signatures{1, 1}, (*bureau).refreshes},
	{"introspection", signatures{0, 1}, (*bureau).introspections},
}

func (s settings) measureIssuers(ctx context.Context) error {
	verify, err := verification(2000)
	if err != nil {
		return err
	}
	sign, err := signing(2000)
	if err != nil {
		return err
	}
	fmt.Printf("\nauthorization server: %d calls a round, %d rounds, %d in flight; medians\n", s.grants, s.rounds, s.clients)
	fmt.Printf("one P-256 signature %.1f µs, one verification %.1f µs\n", sign, verify)
	cost := func(c grantCase) float64 { return c.cost.made*sign + c.cost.checked*verify }
	if err := s.measureIssuer(ctx, "SQLite", keeping{database: "sqlite:auth.db"}, cost); err != nil {
		return err
	}
	if err := s.measureOnServers(ctx, "PostgreSQL, itself not counted and without fsync", "", cost); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	redis, url, err := startRedis(folder)
	if redis != nil {
		defer redis.stop()
	}
	if err != nil {
		return err
	}
	return s.measureOnServers(ctx, "PostgreSQL, with what is short-lived in Redis; themselves not counted", url, cost)
}

// measureOnServers measures on an empty PostgreSQL, and with a Redis when there is
// a URL of one.
func (s settings) measureOnServers(ctx context.Context, title, redis string, cost func(grantCase) float64) error {
	address, stop, err := postgrestest.Serve()
	if err != nil {
		return err
	}
	defer stop()
	return s.measureIssuer(ctx, title, keeping{address, redis}, cost)
}

func (s settings) measureIssuer(ctx context.Context, title string, in keeping, cost func(grantCase) float64) error {
	folder, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b, err := openBureau(s.binary, folder, in, (s.rounds+1)*(2*s.grants+1))
	if err != nil {
		return err
	}
	defer b.process.stop()
	samples := map[string][]sample{}
	for r := range s.rounds + 1 {
		for _, c := range grantCases {
			sub, err := c.arm(b, s.grants)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			sub.name, sub.process = c.name, b.process
			got, err := round(ctx, *sub, s.grants, s.clients)
			if err != nil {
				return err
			}
			if r > 0 { // the first round warms up
				samples[c.name] = append(samples[c.name], got)
			}
		}
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", title, r, s.rounds)
	}
	b.print(title, samples, cost)
	return nil
}

func (b *bureau) print(title string, samples map[string][]sample, cost func(grantCase) float64) {
	fmt.Printf("\n%s\n%-20s %10s %14s %10s %10s %14s\n", title, "case", "calls/s", "CPU µs/call", "p50 µs", "p99 µs", "CPU/signatures")
	for _, c := range grantCases {
		all := samples[c.name]
		cpu := median(all, func(s sample) float64 { return s.cpu })
		fmt.Printf("%-20s %10.0f %14.1f %10.0f %10.0f %14.1f\n", c.name,
			median(all, func(s sample) float64 { return s.perSecond }), cpu,
			median(all, func(s sample) float64 { return s.p50 }), median(all, func(s sample) float64 { return s.p99 }), cpu/cost(c))
	}
}

// granted is what a token endpoint answers with.
type granted struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Active  bool   `json:"active"`
}

// to is a case of one endpoint; n forms, and of each its header.
func (b *bureau) to(path string, form func(i int) url.Values, header func(i int) http.Header, take func(i int, g granted) bool) *subject {
	return &subject{
		url:  b.url + path,
		body: func(i int) string { return form(i).Encode() },
		header: func(i int) http.Header {
			h := header(i)
			h.Set("Content-Type", "application/x-www-form-urlencoded")
			return h
		},
		take: func(i int, answer []byte) error {
			var g granted
			if err := json.Unmarshal(answer, &g); err != nil || !take(i, g) {
				return fmt.Errorf("answered %s (%v)", answer, err)
			}
			return nil
		},
	}
}

func (b *bureau) machineForm(int) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
}

func (b *bureau) credentials(int) (*subject, error) {
	return b.to("/token", b.machineForm, func(int) http.Header { return b.machine().basic() }, func(i int, g granted) bool {
		if i == 0 {
			b.access = g.Access
		}
		return g.Access != ""
	}), nil
}

func (b *bureau) boundCredentials(n int) (*subject, error) {
	proofs, err := b.proofs(n)
	return b.to("/token", b.machineForm, func(i int) http.Header {
		h := b.machine().basic()
		h.Set("DPoP", proofs[i])
		return h
	}, func(_ int, g granted) bool { return g.Access != "" }), err
}

func (b *bureau) redemptions(n int) (*subject, error) {
	codes, err := b.codes(n)
	if err != nil {
		return nil, err
	}
	proofs, err := b.proofs(n)
	b.refresh = make([]string, n)
	return b.to("/token", func(i int) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "client_id": {b.public}, "code": {codes[i]}, "code_verifier": {verifier}}
	}, proving(proofs), func(i int, g granted) bool {
		b.refresh[i] = g.Refresh
		return g.Refresh != ""
	}), err
}

// refreshes are of the grants that redemptions made.
func (b *bureau) refreshes(n int) (*subject, error) {
	proofs, err := b.proofs(n)
	return b.to("/token", func(i int) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "client_id": {b.public}, "refresh_token": {b.refresh[i]}}
	}, proving(proofs), func(i int, g granted) bool { return g.Refresh != "" && g.Refresh != b.refresh[i] }), err
}

func (b *bureau) introspections(int) (*subject, error) {
	form := url.Values{"token": {b.access}}
	return b.to("/introspect", func(int) url.Values { return form }, func(int) http.Header { return b.keeper.basic() },
		func(_ int, g granted) bool { return g.Active }), nil
}

func proving(proofs []string) func(i int) http.Header {
	return func(i int) http.Header { return http.Header{"Dpop": {proofs[i]}} }
}

// proofs makes one for each call, ahead of the measurement.
func (b *bureau) proofs(n int) ([]string, error) {
	target, err := dpop.ParseTarget(b.url + "/token")
	if err != nil {
		return nil, err
	}
	nonce, err := b.nonce(target)
	if err != nil {
		return nil, err
	}
	made := make([]string, n)
	for i := range made {
		if made[i], err = dpop.Make(b.key, time.Now(), http.MethodPost, target, "", nonce); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// newKey is the key of all proofs.
func newKey() (jose.PrivateKey, error) { return jose.GenerateKey(jose.ES256) }

// verifier is the code_verifier of all requests (RFC 7636 §4.1).
var verifier = rand.Text() + rand.Text()

package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/policy/rate"
)

const issuerAlone = `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:8090
  database: sqlite:authserver.db
  secret_file: secret
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
`

func loaded(t *testing.T, more string) *File {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "postern.yaml")
	for name, text := range map[string]string{"secret": "0123456789abcdef0123456789abcdef", "postern.yaml": issuerAlone + more} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Every key of sign_in becomes the rule it names.
func TestSignInRules(t *testing.T) {
	if got := loaded(t, "").AuthServer.SignIn.Rules(); !reflect.DeepEqual(got, risk.Defaults()) {
		t.Errorf("nothing configured: %+v", got)
	}
	got := loaded(t, `  sign_in:
    deny_networks: [10.0.0.0/8, "2001:db8:1::/48"]
    allow_networks: [192.0.2.0/24]
    network_bits: {ipv4: 16, ipv6: 64}
    remember: 2h
    without_factor: refuse
    weights: {first_sign_in: 1, new_network: 2, new_agent: 3, new_context: 4, recent_failures: 5, impossible_travel: 6, pace: 0}
    thresholds: {step_up: 7, refuse: 8}
    failures: {within: 9m, most: 10}
    speed: 11.5
    pace: 12/m
    places: [{name: Null Island, networks: [198.51.100.0/24], latitude: 0, longitude: -0.5}]
`).AuthServer.SignIn.Rules()
	network := netip.MustParsePrefix
	want := risk.Rules{
		Deny: []netip.Prefix{network("10.0.0.0/8"), network("2001:db8:1::/48")}, Allow: []netip.Prefix{network("192.0.2.0/24")},
		V4Bits: 16, V6Bits: 64, Remember: 2 * time.Hour, WithoutFactor: risk.Refuse,
		Weights: map[risk.Reason]int{risk.FirstSignIn: 1, risk.NewNetwork: 2, risk.NewAgent: 3, risk.NewContext: 4,
			risk.RecentFailures: 5, risk.ImpossibleTravel: 6, risk.Pace: 0},
		StepUp: 7, Refuse: 8, FailuresWithin: 9 * time.Minute, FailuresMost: 10, Speed: 11.5,
		Pace:   rate.Rate{Number: 12, Per: time.Minute},
		Places: []risk.Place{{Name: "Null Island", Networks: []netip.Prefix{network("198.51.100.0/24")}, Longitude: -0.5}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := loaded(t, "  sign_in: {pace: off}\n").AuthServer.SignIn.Rules(); got.Pace.Limits() {
		t.Errorf("pace: off is %s", got.Pace)
	}
}

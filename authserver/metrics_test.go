package authserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// measured has a server's metrics in a registry of its own.
func measured(r *prometheus.Registry) func(*Config) {
	return func(c *Config) { c.Metrics = r }
}

// familiesOf are all metrics with their values.
func familiesOf(t *testing.T, r prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	list, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range list {
		all[strings.TrimPrefix(f.GetName(), metricPrefix)] = f
	}
	return all
}

// gathered is the sum of a metric's series with these labels, of a rig whose
// registry nobody has.
func gathered(t *testing.T, g *rig, name string, labels ...string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	g.s.expose(r)
	return valueOf(familiesOf(t, r)[name], labels...)
}

func valueOf(f *dto.MetricFamily, labels ...string) (sum float64) {
	for _, m := range f.GetMetric() {
		if has(m, labels) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// Everything that happens is counted once, under words of closed sets.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	g := newRig(t, measured(registry))
	id, secret := g.machine("calc:basic")
	g.expect(g.post("/token", machineForm(), basic(id, secret)), 200, "")
	g.expect(g.post("/token", machineForm(), basic(id, "wrong")), 401, "invalid_client")
	g.expect(g.post("/token", machineForm(), basic("somebody", "wrong")), 401, "invalid_client")
	a := g.tokens(g.publicClient())
	g.expect(g.post("/revoke", url.Values{"client_id": {a.str("client_id")}, "token": {"x"}}), 401, "invalid_client")
	for range 25 {
		page := g.get(newBrowser(t), "/account")
		g.submit(noRedirect(), "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {"not the password"}})
	}
	browser := newBrowser(t)
	page := g.get(browser, "/account")
	for range 25 {
		g.submit(browser, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {"not the password"}})
	}
	for range 3 {
		g.get(noRedirect(), "/whatever/"+newSecret(""))
	}
	g.s.sweep(t.Context())
	all := familiesOf(t, registry)
	for _, row := range []struct {
		metric string
		labels []string
		want   float64 // -n: at least n
	}{
		{"requests_total", []string{"endpoint", "/token", "outcome", "ok"}, 2},
		{"requests_total", []string{"endpoint", "/token", "outcome", "invalid_client"}, 2},
		{"requests_total", []string{"endpoint", "unknown", "outcome", "invalid_request"}, 3},
		{"requests_total", []string{"endpoint", "/login", "outcome", "ok"}, 1},
		{"requests_total", []string{"endpoint", "/login", "outcome", "access_denied"}, -5},
		{"requests_total", []string{"endpoint", "/login", "outcome", "temporarily_unavailable"}, -1},
		{"request_duration_seconds", []string{"endpoint", "/token"}, 4},
		{"tokens_issued_total", []string{"grant_type", "client_credentials"}, 1},
		{"tokens_issued_total", []string{"grant_type", "authorization_code"}, 1},
		{"refusals_total", []string{"reason", "wrong_client_secret"}, 1},
		{"refusals_total", []string{"reason", "unknown_client"}, -1},
		{"refusals_total", []string{"reason", "wrong_password"}, -5},
		{"refusals_total", []string{"reason", "too_many_requests"}, -1},
		{"events_total", []string{"event", "token.issued"}, 2},
		{"events_total", []string{"event", "consent.granted"}, 1},
		{"sign_ins_total", []string{"outcome", "ok", "risk", "allow"}, 1},
		{"sign_ins_total", []string{"outcome", "failed", "risk", "none"}, -5},
		{"sign_in_risks_total", []string{"reason", "first_sign_in"}, 1},
		{"rate_limited_total", []string{"limit", "account"}, -1},
		{"rate_limited_total", []string{"limit", "guess"}, 0},
		{"store_duration_seconds", []string{"operation", "read"}, -10},
		{"store_duration_seconds", []string{"operation", "write"}, -5},
		{"store_errors_total", nil, 0},
		{"sweeps_total", []string{"result", "done"}, 1},
		{"signing_keys", nil, 1},
		{"away", nil, 0},
	} {
		got := valueOf(all[row.metric], row.labels...)
		if row.want >= 0 && got != row.want || got < -row.want {
			t.Errorf("%s %v: %v, want %v", row.metric, row.labels, got, row.want)
		}
	}
	since, until := valueOf(all["signing_key_since_seconds"]), valueOf(all["signing_key_until_seconds"])
	if age := g.clock.Now().Sub(time.Unix(int64(since), 0)); age < 0 || age > time.Minute || until-since != g.s.config.Keys.RotateEvery.Seconds() {
		t.Errorf("the key signs from %v until %v", since, until)
	}
	for name, f := range all {
		if len(f.GetMetric()) > 400 {
			t.Errorf("%s has %d series", name, len(f.GetMetric()))
		}
	}
}

// What fails beside requests is to be seen until it does not any more.
func TestAwayIsToBeSeen(t *testing.T) {
	g := newRig(t)
	for what, set := range map[string]func(error){
		"redis":       func(err error) { g.s.limits.guess.with.outage.note(err) },
		"revocations": func(err error) { g.s.untold.Store(err != nil) },
	} {
		for _, err := range []error{errBroken, nil} {
			set(err)
			if got := gathered(t, g, "away", "what", what); (got == 1) != (err != nil) {
				t.Errorf("%s after %v: %v", what, err, got)
			}
		}
	}
	if got := gathered(t, g, "away", "what", "keys"); got != 0 {
		t.Errorf("keys: %v", got)
	}
	if err := g.s.store.Close(); err != nil || g.s.keys.Keep(t.Context()) == nil || gathered(t, g, "away", "what", "keys") != 1 {
		t.Errorf("keys that nobody keeps are not seen (%v)", err)
	}
	g.s.metrics.swept(errBroken)
	if n := gathered(t, g, "sweeps_total", "result", "failed"); n != 1 {
		t.Errorf("%v failed sweeps", n)
	}
}

// A database that is away is counted where it was asked.
func TestStoreFailuresAreCounted(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	if err := g.s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if a := g.post("/token", machineForm(), basic(id, secret)); a.status < 500 {
		t.Errorf("%d", a.status)
	}
	if n := gathered(t, g, "requests_total", "endpoint", "/token", "outcome", "server_error"); n != 1 {
		t.Errorf("%v", n)
	}
}

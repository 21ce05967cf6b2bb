package credential_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// bench is a kit with everything a test looks at.
type bench struct {
	credential.Kit
	at       atomic.Int64
	registry *prometheus.Registry
	log      journal
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newBench() *bench {
	b := &bench{registry: prometheus.NewRegistry()}
	b.at.Store(time.Now().UnixNano())
	b.Kit = credential.Kit{
		Server: "recorder", Log: slog.New(slog.NewTextHandler(&b.log, nil)), Metrics: credential.NewMetrics(b.registry),
		Now: func() time.Time { return time.Unix(0, b.at.Load()) },
	}
	return b
}

func (b *bench) advance(d time.Duration) { b.at.Add(int64(d)) }

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHeader(t *testing.T) {
	for _, row := range []struct{ name, secret, want string }{
		{"Authorization", "", "is empty"},
		{"Authorization", "a\nb", "control character"},
		{"", "hush", "not a header name"},
		{"X_Api_Key", "hush", "not a header name"},
		{"X Api", "hush", "not a header name"},
		{"Mcp-Session-Id", "hush", "not for credentials"},
		{"content-type", "hush", "not for credentials"},
		{"host", "hush", "not for credentials"},
		{"transfer-encoding", "hush", "not for credentials"},
		{"x-request-id", "hush", "not for credentials"},
	} {
		if _, err := credential.NewHeader(row.name, "Bearer ", row.secret); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q with secret %q: %v, want %q", row.name, row.secret, err, row.want)
		}
	}
	c, err := credential.NewHeader("x-api-key", "", "hush")
	if err != nil || strings.Contains(c.String(), "hush") {
		t.Errorf("%v %v", c, err)
	}
	shown, err := c.Show(t.Context(), proxy.Purpose{})
	if err != nil || shown.Get("X-Api-Key") != "hush" {
		t.Errorf("%v %v", shown, err)
	}
}

func shows(t *testing.T, c proxy.Credential, name string) string {
	t.Helper()
	shown, err := c.Show(t.Context(), proxy.Purpose{})
	if err != nil {
		t.Fatal(err)
	}
	return shown.Get(name)
}

// Every way a secret file changes, each looked at one second later.
func TestHeaderFileFollowsItsFile(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "secret"), "secret of "+version+"\n")
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data") // as Kubernetes mounts secrets
	link("..data/secret", "secret")
	b := newBench()
	c, err := credential.NewHeaderFile(b.Kit, "X-Key", "", filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func()
		wait   time.Duration
		want   string
		stale  float64
		log    string
	}{
		{"as it was", func() {}, time.Second, "secret of v1", 0, ""},
		{"the link moves, nobody looked yet", func() { link("v2", "..data") }, time.Second / 2, "secret of v1", 0, ""},
		{"the link has moved", func() {}, time.Second, "secret of v2", 0, "files taken"},
		{"rewritten in place", func() { write(t, filepath.Join(dir, "v2", "secret"), "rewritten") }, time.Second, "rewritten", 0, "files taken"},
		{"emptied", func() { write(t, filepath.Join(dir, "v2", "secret"), "\n") }, time.Second, "rewritten", 1, "the secret is empty"},
		{"garbage", func() { write(t, filepath.Join(dir, "v2", "secret"), "a\nb") }, time.Second, "rewritten", 1, "control character"},
		{"gone", func() { _ = os.Remove(filepath.Join(dir, "v2", "secret")) }, time.Second, "rewritten", 1, "no such file"},
		{"still gone, said once", func() {}, time.Second, "rewritten", 1, ""},
		{"too large", func() { write(t, filepath.Join(dir, "v2", "secret"), strings.Repeat("x", 1<<20+1)) }, time.Second, "rewritten", 1, "larger than"},
		{"back", func() { write(t, filepath.Join(dir, "v2", "secret"), "back") }, time.Second, "back", 0, "files taken"},
	} {
		before := len(b.log.String())
		row.change()
		b.advance(row.wait)
		if got := shows(t, c, "X-Key"); got != row.want {
			t.Errorf("%s: shows %q, want %q", row.name, got, row.want)
		}
		said := b.log.String()[before:]
		if row.log == "" && said != "" || !strings.Contains(said, row.log) {
			t.Errorf("%s: said %q, want %q", row.name, said, row.log)
		}
		if got := gauge(t, b, "postern_upstream_credential_files_stale"); got != row.stale {
			t.Errorf("%s: stale %v, want %v", row.name, got, row.stale)
		}
	}
	if log := b.log.String(); strings.Contains(log, "rewritten") || strings.Contains(log, "secret of") {
		t.Errorf("the log holds a secret: %s", log)
	}
}

func gauge(t *testing.T, b *bench, name string) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}

// An upstream that knows the new secret before the proxy does gets it on the
// second try, and one that refuses the current one gets no second.
func TestHeaderFileRefused(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "secret"), "one")
	c, err := credential.NewHeaderFile(newBench().Kit, "Authorization", "Bearer ", path)
	if err != nil {
		t.Fatal(err)
	}
	shown, _ := c.Show(t.Context(), proxy.Purpose{})
	if c.Refused(proxy.Purpose{}, shown, nil) {
		t.Error("the same secret is tried again")
	}
	write(t, path, "another")
	if !c.Refused(proxy.Purpose{}, shown, nil) || shows(t, c, "Authorization") != "Bearer another" {
		t.Error("the new secret is not tried")
	}
}

func TestHeaderFileMustBeUsableAtTheStart(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"absent": filepath.Join(dir, "absent"), "empty": write(t, filepath.Join(dir, "empty"), "")} {
		if c, err := credential.NewHeaderFile(newBench().Kit, "X-Key", "", path); err == nil || c != nil {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
	if _, err := credential.NewHeaderFile(credential.Kit{}, "X-Key", "", write(t, filepath.Join(dir, "good"), "x")); err == nil {
		t.Error("an empty kit was accepted")
	}
}

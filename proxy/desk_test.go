package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/proxy"
)

// deskStand is the introspection endpoint of an issuer stand.
type deskStand struct {
	issuer *issuerStand
	mu     sync.Mutex
	asked  []*http.Request // their forms parsed
	answer atomic.Pointer[http.HandlerFunc]
}

func newDesk(i *issuerStand) *deskStand {
	d := &deskStand{issuer: i}
	i.desk.Store(i.URL + "/more/introspect")
	i.more.Store("/more/introspect", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		d.mu.Lock()
		d.asked = append(d.asked, r)
		d.mu.Unlock()
		(*d.answer.Load())(w, r)
	}))
	return d
}

func (d *deskStand) answers(f http.HandlerFunc) { d.answer.Store(&f) }

func (d *deskStand) says(doc string) {
	d.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, doc)
	})
}

func (d *deskStand) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

func asks(all bool) change {
	return func(c *proxy.Config) {
		c.Issuers[0].Introspection = &proxy.Introspection{ClientID: "the proxy", Secret: "s:e/c r+et", Cache: 5 * time.Second, All: all}
	}
}

// askingStand is a stand whose issuer is asked about tokens.
func askingStand(t *testing.T, all bool, changes ...change) (*stand, *deskStand) {
	t.Helper()
	s := newStand(t, append([]change{asks(all)}, changes...)...)
	return s, newDesk(s.issuer)
}

// active is what the issuer says about a good opaque token; edits change members, nil takes one out.
func (s *stand) active(edits map[string]any) string {
	s.Helper()
	members := map[string]any{
		"active": true, "aud": s.url, "sub": "alice", "client_id": "client", "scope": "basic",
		"exp": s.clock.now().Add(5 * time.Minute).Unix(),
	}
	for name, value := range edits {
		members[name] = value
		if value == nil {
			delete(members, name)
		}
	}
	doc, err := json.Marshal(members)
	if err != nil {
		s.Fatal(err)
	}
	return string(doc)
}

func (s *stand) bear(access string) reply {
	s.Helper()
	return s.post(toolCall("add"), "Authorization", "Bearer "+access)
}

package proxy_test

import (
	"net/http"
	"testing"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

// overheard notes whom requests are carried out for.
type overheard struct {
	http.RoundTripper
	subjects []string
}

func (o *overheard) RoundTrip(r *http.Request) (*http.Response, error) {
	o.subjects = append(o.subjects, proxy.SubjectOf(r.Context()))
	return o.RoundTripper.RoundTrip(r)
}

// TestWaysKnowTheSubject: the same for every token of one subject, another for
// the next.
func TestWaysKnowTheSubject(t *testing.T) {
	way := &overheard{}
	s := newStand(t, func(c *proxy.Config) {
		c.Issuers[0].DPoP = proxy.Accepted
		way.RoundTripper, c.Servers[0].Transport = c.Servers[0].Transport, way
	})
	for _, name := range []string{"ada", "ada", "eve"} {
		access := s.token(func(c *token.Claims) { c.Subject, c.ID = name, name+s.nonce })
		s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+access), http.StatusOK, "")
	}
	if got := way.subjects; len(got) != 3 || got[0] == "" || got[0] != got[1] || got[0] == got[2] {
		t.Errorf("subjects %q", got)
	}
}

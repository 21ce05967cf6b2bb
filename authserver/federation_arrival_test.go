package authserver

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream"
)

// Somebody new whose sign-in comes to nothing has left nothing.
func TestNewcomersAreMadeWhenTheyAreIn(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Create, p.Roles = true, []ClaimRole{{"groups", "dba", "dba"}} })
	p := a.s.providers.named("corp")
	who := upstream.Identity{Issuer: a.op.URL, Subject: "new", Name: "Grace", Email: "grace@corp.example", EmailVerified: true}
	come := func(wanted level) error {
		r := a.request("GET", "/login/with/corp/callback", "", "")
		return a.s.enterNew(httptest.NewRecorder(), r, p, pending{Next: accountPath, Level: wanted}, who)
	}
	if err := come(levelResistant); reasonOf(err) != UnmetLevel {
		t.Fatalf("got %v", err)
	}
	if _, err := a.s.store.Identity(t.Context(), who.Issuer, who.Subject); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the link: %v", err)
	}
	if people, err := a.s.Users(t.Context()); err != nil || len(people) != 1 {
		t.Errorf("people: %v, %v", people, err)
	}
	if err := come(""); err != nil {
		t.Fatal(err)
	}
	if u, err := a.s.store.User(t.Context(), "grace.corp.example"); err != nil || u.FullName != "Grace" {
		t.Errorf("got %+v, %v", u, err)
	}
}

// An arrival counts when its person is in: until then the identity was not used,
// and has the address that it had.
func TestArrivalsCountAtTheEnd(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} }, asking)
	a.linked()
	made := a.setUpCodes(newBrowser(t))
	used := func() store.Identity {
		v, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	b := newBrowser(t)
	half := a.abroadAndBack(b, a.publicClient())
	if !strings.Contains(half.body, "One more step") {
		t.Fatalf("no second factor is asked for: %d %s", half.status, half.body)
	}
	if v := used(); !v.UsedAt.IsZero() || v.Email != "" {
		t.Errorf("halfway: %+v", v)
	}
	if got := a.second(b, value(t, half.body, "entry"), "code", made.Code(a.clock.Now())); !in(got) {
		t.Fatalf("the code: %d %s", got.status, got.body)
	}
	if v := used(); !v.UsedAt.Equal(a.clock.Now()) || v.Email != address {
		t.Errorf("at the end: %+v", v)
	}
}

// Names for somebody new have the form of names that people choose.
func TestNamesOfNewcomers(t *testing.T) {
	p := &provider{Provider: Provider{Name: "corp"}}
	for email, want := range map[string]string{
		"ada@corp.example": "ada.corp.example", "Ada.L@Corp.example": "ada.l.corp.example", "ada+x@corp.example": "ada-x.corp.example",
		"\u0430da@corp.example": "corp-", "1ada@corp.example": "corp-", strings.Repeat("a", 60) + "@corp.example": "corp-",
	} {
		name := usernameOf(p, upstream.Identity{Issuer: "https://corp.example", Subject: "x", Email: email, EmailVerified: true})
		if !strings.HasPrefix(name, want) || checkChosenName(numbered(name, maxNames-1)) != nil {
			t.Errorf("%s: %s", email, name)
		}
	}
	if name := usernameOf(p, upstream.Identity{Email: "ada@corp.example"}); !strings.HasPrefix(name, "corp-") {
		t.Errorf("an address nobody verified: %s", name)
	}
}

// Tokens are wider than roles by any scope that these do not give.
func TestTokensWiderThanRoles(t *testing.T) {
	s := &Server{}
	var err error
	if s.roles, err = role.New([]role.Role{{Name: "dba", Scopes: []string{"db:*"}}, {Name: "user", Scopes: []string{"calc:*"}}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		held  []string
		scope []string
		want  bool
	}{
		{[]string{"dba", "user"}, []string{"db:read", "calc:basic"}, false}, {[]string{"user"}, []string{"db:read", "calc:basic"}, true},
		{nil, []string{"calc:basic"}, true}, {nil, nil, false}, {nil, []string{"openid"}, false},
	} {
		if got := s.wider(row.held, store.Grant{Scope: row.scope}); got != row.want {
			t.Errorf("%v with %v: %v", row.scope, row.held, got)
		}
	}
}

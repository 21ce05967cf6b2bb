package authserver

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

func TestClaimsGiveRoles(t *testing.T) {
	a := newAbroad(t, func(p *Provider) {
		p.Roles = []ClaimRole{{"groups", "dba", "dba"}, {"team", "core", "dba"}, {"groups", "root", "admin"}}
	},
		func(c *Config) {
			c.Roles = []role.Role{{Name: "dba", Scopes: []string{"db:*"}}, {Name: "admin", Scopes: []string{"*"}}}
		})
	u := a.linked()
	for _, row := range []struct {
		said func(upstreamtest.Object)
		want []string
	}{
		{upstreamtest.Set("groups", []string{"dba", "ops"}), []string{"dba"}},
		{upstreamtest.Set("groups", []string{"dba", "root"}), []string{"admin", "dba"}},
		{upstreamtest.Set("groups", "dba"), []string{"dba"}},
		{upstreamtest.Set("groups", []string{"DBA", "dbadmin"}), nil},
		{func(o upstreamtest.Object) { delete(o, "groups"); o["team"] = "core" }, []string{"dba"}},
		{upstreamtest.Without("groups"), nil},
	} {
		a.op.Profile = row.said
		b := newBrowser(t)
		a.abroadAndBack(b, a.publicClient(), "resource", database, "scope", "db:read")
		if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || !slices.Equal(held, row.want) {
			t.Errorf("holds %v, want %v, %v", held, row.want, err)
		}
	}
}

// A role that the claims no longer give ends the tokens that need it.
func TestClaimsThatGoTakeTokensAlong(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} },
		func(c *Config) {
			c.Roles = []role.Role{{Name: "dba", Scopes: []string{"db:*"}}, {Name: "user", Scopes: []string{"calc:*"}, Everyone: true}}
		})
	u := a.linked()
	a.give()
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client, "resource", database, "scope", "db:read")))
	a.op.Profile = upstreamtest.Without("groups")
	other := newBrowser(t)
	a.abroadAndBack(other, client)
	if got, err := a.s.store.AccessToken(t.Context(), c.ID); err != nil || !got.Revoked {
		t.Errorf("the token of %s: %+v, %v", u.Name, got, err)
	}
}

// What the configuration gives no more is gone when the server starts.
func TestRolesOfProvidersThatAreGone(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} })
	u := a.linked()
	a.abroadAndBack(newBrowser(t), a.publicClient())
	a.give("admin")
	a.s.providers = nil
	if err := a.s.takeBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || !slices.Equal(held, []string{"admin"}) {
		t.Errorf("holds %v, %v", held, err)
	}
}

func TestHowStrongAProviderIs(t *testing.T) {
	classes := map[string]string{"gold": "mfa", "platinum": "phr"}
	for _, row := range []struct {
		name     string
		acr      map[string]string
		acrSaid  any
		amr      any
		demanded string
		asked    string // acr_values the provider is asked for
		amrGot   []string
		acrGot   string
	}{
		{"nothing is said", nil, nil, nil, "", "", []string{"fed"}, "pwd"},
		{"a class nobody mapped", nil, "gold", nil, "", "", []string{"fed"}, "pwd"},
		{"another class", classes, "silver", nil, "", "", []string{"fed"}, "pwd"},
		{"a class that is mfa", classes, "gold", nil, "", "", []string{"fed", "mfa"}, "mfa"},
		{"a class that is phr", classes, "platinum", nil, "", "", []string{"fed", "swk", "mfa"}, "phr"},
		{"methods that say so", nil, nil, []string{"pwd", "mfa"}, "", "", []string{"fed", "mfa"}, "mfa"},
		{"methods that do not", nil, nil, []string{"pwd", "otp"}, "", "", []string{"fed"}, "pwd"},
		{"mfa demanded and met", classes, "gold", nil, "mfa", "gold platinum", []string{"fed", "mfa"}, "mfa"},
		{"phr demanded and met", classes, "platinum", nil, "phr", "platinum", []string{"fed", "swk", "mfa"}, "phr"},
		{"mfa demanded and not met", classes, "silver", nil, "mfa", "gold platinum", nil, ""},
		{"phr demanded, mfa met", classes, "gold", nil, "phr", "platinum", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, func(p *Provider) { p.ACR = row.acr })
			a.linked()
			a.op.Claims = func(o upstreamtest.Object) { o["acr"], o["amr"] = row.acrSaid, row.amr }
			b, client := newBrowser(t), a.publicClient()
			var pairs []string
			if row.demanded != "" {
				pairs = []string{"acr_values", row.demanded}
			}
			to := a.leave(b, a.signInPage(b, client, pairs...))
			if u, _ := url.Parse(to); u.Query().Get("acr_values") != row.asked {
				t.Errorf("asked for %q", u.Query().Get("acr_values"))
			}
			got := a.get(b, a.there(to))
			if row.acrGot == "" {
				if got.status == 303 && strings.Contains(got.header.Get("Location"), "/consent") {
					t.Errorf("let in: %d %s", got.status, got.body)
				}
				return
			}
			if c := a.allow(b, client, a.follow(b, got)); c.ACR != row.acrGot || !slices.Equal(c.AMR, row.amrGot) {
				t.Errorf("got %s %v", c.ACR, c.AMR)
			}
		})
	}
}

func TestFreshSignInElsewhere(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	client := a.publicClient()
	come := func(claims func(upstreamtest.Object), pairs ...string) (answerOf, url.Values) {
		a.op.Claims = claims
		b := newBrowser(t)
		to := a.leave(b, a.signInPage(b, client, pairs...))
		u, _ := url.Parse(to)
		return a.get(b, a.there(to)), u.Query()
	}
	got, asked := come(nil, "max_age", "60")
	if got.status != 303 || asked.Get("max_age") != "60" {
		t.Errorf("max_age=%s: %d %s", asked.Get("max_age"), got.status, got.body)
	}
	if _, asked := come(nil, "prompt", "login"); asked.Get("max_age") != "0" {
		t.Errorf("for prompt=login: max_age=%s", asked.Get("max_age"))
	}
	// The provider's clock has whole seconds, and is behind.
	a.clock.forward(700 * time.Millisecond)
	for name, behind := range map[string]time.Duration{"in this second": 700 * time.Millisecond, "some seconds ago": 5 * time.Second} {
		b := newBrowser(t)
		a.op.Claims = upstreamtest.Set("auth_time", a.clock.Now().Add(-behind).Unix())
		if page := a.follow(b, a.abroadAndBack(b, client, "prompt", "login")); !strings.Contains(page.body, `value="allow"`) {
			t.Errorf("%s: %d %s", name, page.status, page.body)
		}
	}
	for name, claims := range map[string]func(upstreamtest.Object){
		"long ago":         upstreamtest.Set("auth_time", a.clock.Now().Add(-time.Hour).Unix()),
		"nobody says when": upstreamtest.Without("auth_time"),
	} {
		got, _ := come(claims, "max_age", "60")
		if got.status != 403 || !strings.Contains(got.body, "sign in another way") || !strings.Contains(got.body, `name="password"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		a.expectReason(ProviderNotFresh)
	}
}

// When the provider does not say when the person proved who they are, neither
// do we, and nothing that asks for a moment ago is met.
func TestUntoldTimeIsNoTime(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	a.op.Claims = upstreamtest.Without("auth_time")
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client)))
	if !c.AuthTime.IsZero() {
		t.Errorf("auth_time is %v", c.AuthTime)
	}
	page := a.get(b, "/authorize?"+with(authorization(client), "max_age", "3600").Encode())
	if !strings.Contains(page.body, `name="password"`) {
		t.Errorf("max_age was met: %d %s", page.status, page.body)
	}
}

// Who has codes here is asked for one after the provider, too, and the two
// together are several kinds of proof.
func TestSecondFactorAfterAProvider(t *testing.T) {
	a := newAbroad(t, nil, asking)
	a.linked()
	codes := a.setUpCodes(newBrowser(t))
	a.op.Now = a.clock.Now()
	b, client := newBrowser(t), a.publicClient()
	asked := a.abroadAndBack(b, client)
	if asked.status != 200 || !strings.Contains(asked.body, "One more step") {
		t.Fatalf("no second factor is asked for: %d %s", asked.status, asked.body)
	}
	done := a.second(b, value(t, asked.body, "entry"), "code", codes.Code(a.clock.Now()))
	if c := a.allow(b, client, a.follow(b, done)); c.ACR != "mfa" || !slices.Equal(c.AMR, []string{"fed", "otp", "mfa"}) || !c.AuthTime.Equal(a.clock.Now()) {
		t.Errorf("got %+v", c)
	}
	// A provider that shows more than one kind itself is enough.
	a.op.Claims = upstreamtest.Set("amr", []string{"pwd", "mfa"})
	if got := a.abroadAndBack(newBrowser(t), client); got.status != 303 {
		t.Errorf("asked all the same: %d %s", got.status, got.body)
	}
}

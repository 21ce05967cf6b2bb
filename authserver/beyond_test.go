package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What somebody's roles do not give is named on the page, in the log, and to the
// client where nothing else is left.
func TestConsentPageNamesWhatNoRoleGives(t *testing.T) {
	g := newRig(t, ranks)
	id, b := g.publicClient(), newBrowser(t)
	page := g.consentPage(b, with(authorization(id), "scope", "calc:basic calc:power"))
	if text := page.words(); !strings.Contains(text, "Not in your roles: Raise to a power calc:power") || !strings.Contains(text, "An administrator can give you") {
		t.Errorf("got %s", text)
	}
	code := g.redirected(g.submit(b, "/consent", approval(t, page, "allow"))).Get("code")
	g.expect(g.post("/token", redemption(id, code)), 200, "")
	g.lineOf("consent.granted", `"scope":"calc:basic","not_in_roles":"calc:power"`)

	g.give("user") // who has it is not told of it
	page = g.consentPage(newBrowser(t), with(authorization(id), "scope", "calc:basic calc:power"))
	if text := page.words(); strings.Contains(text, "Not in your roles") {
		t.Errorf("got %s", text)
	}
}

// lineOf says that the last log line of an event has this text in it.
func (g *rig) lineOf(event, text string) {
	g.t.Helper()
	var last string
	for line := range strings.Lines(g.log.String()) {
		if strings.Contains(line, `"msg":"`+event+`"`) {
			last = line
		}
	}
	if !strings.Contains(last, text) {
		g.t.Errorf("the line of %s is %q, without %s", event, last, text)
	}
}

// A consent that is remembered is silent only about what was asked for and is theirs.
func TestRememberedConsentDoesNotHideWhatNoRoleGives(t *testing.T) {
	g := newRig(t, ranks)
	at := "https://shop.example/cb"
	id, _, err := g.s.RegisterClient(t.Context(), []byte(`{"redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	query := with(authorization(id), "redirect_uri", at)
	if v := g.authorizeBy(b, query); v.Get("code") == "" {
		t.Fatalf("got %v", v)
	}
	if a := g.get(b, "/authorize?"+query.Encode()); a.status != http.StatusSeeOther {
		t.Fatalf("asked again: %d", a.status)
	}
	more := with(query, "scope", "calc:basic calc:power")
	if a := g.get(b, "/authorize?"+more.Encode()); a.status != http.StatusOK || !strings.Contains(a.words(), "Not in your roles") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	if v := g.redirected(g.get(b, "/authorize?"+with(more, "prompt", "none").Encode())); v.Get("code") == "" {
		t.Errorf("got %v", v)
	}
}

// A resource server told that the scope is needed: the same token again would
// only be refused again.
func TestStepUpBeyondTheRolesIsDenied(t *testing.T) {
	for _, row := range []struct {
		name, needed, asked, roles string
		want                       string // what the client hears: a code, or an error with this in it
	}{
		{"exactly what is lacking", "calc:basic calc:power", "calc:basic calc:power", "", "Not in their roles: calc:power."},
		{"something else", "calc:basic", "calc:basic calc:power", "", ""},
		{"not asked for", "calc:power", "calc:basic", "", ""},
		{"theirs by now", "calc:power", "calc:basic calc:power", "user", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, ranks, tellsOfStepUps)
			id, b := g.publicClient(), newBrowser(t)
			first := g.post("/token", redemption(id, g.authorizeBy(b, authorization(id)).Get("code")))
			g.expect(g.post("/step-up", noticeFor(g, id, first, row.needed), bearer(sharedSecret)), http.StatusNoContent, "")
			g.give(strings.Fields(row.roles)...)
			v := g.authorizeBy(b, with(authorization(id), "scope", row.asked))
			if row.want == "" {
				if v.Get("code") == "" {
					t.Errorf("got %v", v)
				}
				return
			}
			if v.Get("error") != "access_denied" || !strings.Contains(v.Get("error_description"), row.want) {
				t.Errorf("got %v", v)
			}
			g.expectReason(NotTheirs)
		})
	}
}

// Somebody else who signs in at the same request is asked for all of it.
func TestSomebodyElseMayHaveWhatWasLeftOut(t *testing.T) {
	g := newRig(t, ranks)
	if err := g.s.CreateUser(t.Context(), "grace", testPassword, "user"); err != nil {
		t.Fatal(err)
	}
	id, b := g.publicClient(), newBrowser(t)
	page := g.consentPage(b, with(authorization(id), "scope", "calc:basic calc:power"))
	again := g.submit(b, "/consent", approval(t, page, "switch"))
	login := g.get(b, strings.TrimPrefix(again.header.Get("Location"), g.url))
	done := g.submit(b, "/login", url.Values{"request": {formRequest(t, login.body)}, "username": {"grace"}, "password": {testPassword}})
	page = g.get(b, strings.TrimPrefix(done.header.Get("Location"), g.url))
	if strings.Contains(page.words(), "Not in your roles") {
		t.Errorf("got %s", page.words())
	}
	code := g.redirected(g.submit(b, "/consent", approval(t, page, "allow"))).Get("code")
	if a := g.post("/token", redemption(id, code)); a.str("scope") != "calc:basic calc:power" {
		t.Errorf("got %s", a.body)
	}
}

// What a role no longer gives is missing from the next token, and the log says so.
func TestTokenLineSaysWhatWasLeftOut(t *testing.T) {
	g := newRig(t, ranks)
	g.give("user")
	id := g.publicClient()
	first := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	g.lineOf("token.issued", `"left_out":""`)
	g.give()
	g.expect(g.post("/token", refreshing(id, first)), 200, "")
	g.lineOf("token.issued", `"scope":"calc:basic","left_out":"calc:power"`)
}

package authserver

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/role"
)

// implying makes calc:all bring calc:power, and that calc:basic.
func implying(c *Config) {
	scopes := c.Resources[0].Scopes
	scopes[1].Implies = []string{"calc:basic"}
	c.Resources[0].Scopes = append(scopes, Scope{Name: "calc:all", Description: "Do everything", Implies: []string{"calc:power"}})
}

func TestPagesSayWhatComesWithAScope(t *testing.T) {
	g := newRig(t, implying)
	b, id := newBrowser(t), g.publicClient()
	query := with(authorization(id), "scope", "calc:all")
	const all = "Do everything calc:all Comes with it: Add, subtract, multiply and divide (calc:basic); Raise to a power (calc:power)"
	says(t, g.consentPage(b, query), all)
	says(t, g.consentPage(b, with(query, "scope", "calc:basic")), "-Comes with it")
	g.authorizeBy(b, query)
	one := g.get(b, "/account/application?client="+url.QueryEscape(id))
	const along = "Comes with it: Add, subtract, multiply and divide (calc:basic); Raise to a power (calc:power)"
	if n := strings.Count(one.words(), along); n != 2 { // what it may do, and the one yes
		t.Errorf("%d times: %s", n, one.words())
	}
	g.post("/token", redemption(id, g.authorizeBy(b, query).Get("code")))
	says(t, g.get(b, "/account/applications"), "calc:all"+along)
	says(t, g.get(g.administrator("admin"), "/admin/grants?q="+testUser), "Calculatorcalc:all"+along)
}

// What comes with something that is allowed is not said to be kept back.
func TestWhatComesAlongIsNotBeyond(t *testing.T) {
	g := newRig(t, implying, func(c *Config) {
		c.Roles = []role.Role{{Name: "guest", Scopes: []string{"calc:power"}, Everyone: true}}
	})
	page := g.consentPage(newBrowser(t), with(authorization(g.publicClient()), "scope", "calc:basic calc:power calc:all"))
	says(t, page, "Not in your roles: Do everything calc:all. It asked", "Comes with it: Add, subtract")
}

func TestReachEndsInCircles(t *testing.T) {
	r := Resource{Scopes: []Scope{{Name: "a", Implies: []string{"b", "c"}}, {Name: "b", Implies: []string{"a", "c"}}, {Name: "c"}}}
	if got := r.reach([]string{"b"}); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("got %s", strings.Join(got, " "))
	}
}

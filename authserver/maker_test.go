package authserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
)

// A link is worth nothing once whoever made it could not make it any more.
func TestLinksAreWorthWhatTheirMakerMay(t *testing.T) {
	off := true
	for _, row := range []struct {
		name   string
		change func(g *rig, by admin.UserRef)
		want   int
	}{
		{"as they were", func(*rig, admin.UserRef) {}, 200},
		{"more than they were", func(g *rig, by admin.UserRef) { g.setRoles(by, "boss", "agent") }, 200},
		{"deleted", func(g *rig, by admin.UserRef) {
			_, err := g.s.Desk().DeleteUser(t.Context(), admin.Operator(), by)
			must(g.t, err)
		}, 400},
		{"disabled", func(g *rig, by admin.UserRef) {
			_, err := g.s.Desk().UpdateUser(t.Context(), admin.Operator(), admin.UserChange{UserRef: by, Disabled: &off})
			must(g.t, err)
		}, 400},
		{"with a lesser role", func(g *rig, by admin.UserRef) { g.setRoles(by, "registrar") }, 400},
		{"with no role", func(g *rig, by admin.UserRef) { g.setRoles(by) }, 400},
		{"with a role that gives less by configuration", func(g *rig, _ admin.UserRef) { g.s.roles = lesser(g.t) }, 400},
	} {
		for kind, link := range map[string]func(g *rig, by admin.Actor) (admin.Link, error){
			"invitation": func(g *rig, by admin.Actor) (admin.Link, error) {
				return g.s.Desk().Invite(t.Context(), by, admin.NewInvitation{Roles: []string{"boss"}})
			},
			"reset": func(g *rig, by admin.Actor) (admin.Link, error) {
				return g.s.Desk().ResetLink(t.Context(), by, admin.UserRef{ID: g.idOf(testUser)})
			},
		} {
			t.Run(kind+" by somebody "+row.name, func(t *testing.T) {
				g := newRig(t, bosses, func(c *Config) { c.SignUp = SignUpInvitation })
				g.give("boss")
				made, err := g.s.Desk().CreateUser(t.Context(), admin.Operator(), admin.NewUser{Name: "mallory", Roles: []string{"boss"}})
				must(t, err)
				l, err := link(g, admin.Actor{Kind: admin.KindPerson, ID: made.User.ID, Scopes: allScopes})
				must(t, err)
				row.change(g, admin.UserRef{ID: made.User.ID})
				g.expectLink(l.URL, row.want)
			})
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *rig) setRoles(of admin.UserRef, roles ...string) {
	g.t.Helper()
	_, err := g.s.Desk().SetUserRoles(g.t.Context(), admin.Operator(), admin.UserRoles{UserRef: of, Roles: roles})
	must(g.t, err)
}

// lesser are roles of which boss gives less than it did.
func lesser(t *testing.T) role.Set {
	t.Helper()
	set, err := role.New([]role.Role{{Name: "boss", Scopes: []string{"postern:read"}}})
	must(t, err)
	return set
}

// expectLink opens the page of a link, and sends its form where that is refused.
func (g *rig) expectLink(link string, want int) {
	g.t.Helper()
	path := strings.TrimPrefix(link, g.url)
	b := newBrowser(g.t)
	if a := g.get(b, path); a.status != want {
		g.t.Errorf("the page: %d, want %d: %s", a.status, want, a.body)
	}
	if want == 200 {
		return
	}
	action, ticket, _ := strings.Cut(path, "?ticket=")
	a := g.submit(b, action, url.Values{"ticket": {ticket}, "username": {"grace"}, "new_password": {goodPassword}, "repeat_password": {goodPassword}})
	if a.status != want {
		g.t.Errorf("the form: %d, want %d: %s", a.status, want, a.body)
	}
	g.expectReason(BadTicket)
}

// The list shows nothing that is worth nothing, and what was ended stays so
// when its maker is let in again.
func TestEndedInvitationsDoNotComeBack(t *testing.T) {
	g := newRig(t, bosses, func(c *Config) { c.SignUp = SignUpInvitation })
	g.give("boss")
	ada, off := admin.UserRef{ID: g.idOf(testUser)}, true
	l, err := g.s.Desk().Invite(t.Context(), admin.Actor{Kind: admin.KindPerson, ID: ada.ID, Scopes: allScopes}, admin.NewInvitation{Roles: []string{"boss"}})
	must(t, err)
	for range 2 {
		_, err = g.s.Desk().UpdateUser(t.Context(), admin.Operator(), admin.UserChange{UserRef: ada, Disabled: &off})
		must(t, err)
		off = false
	}
	g.expectLink(l.URL, 400)
	if all, err := g.s.Invitations(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("listed: %+v, %v", all, err)
	}
}

// Programs invite, too, and so does the operator: theirs stand as long as they may.
func TestLinksOfProgramsAndOfTheOperator(t *testing.T) {
	g := newRig(t, bosses, func(c *Config) { c.SignUp = SignUpInvitation })
	robot, _ := g.machine(allScopes...)
	for _, row := range []struct {
		name string
		by   string
		want int
	}{
		{"the operator", admin.KindOperator, 200},
		{"a program", store.MadeBy(admin.KindClient, robot), 200},
		{"a program that is gone", store.MadeBy(admin.KindClient, "client_gone"), 400},
		{"a person who is gone", store.MadeBy(admin.KindPerson, "user_gone"), 400},
		{"nobody", "", 400},
		{"somebody else", "king user_1", 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			ticket, secret := g.s.newTicket(store.Ticket{Purpose: store.Invitation, Roles: []string{"boss"}, CreatedBy: row.by}, time.Hour)
			must(t, g.s.store.AddTicket(t.Context(), ticket))
			if a := g.get(newBrowser(t), signUpPath+"?ticket="+secret); a.status != row.want {
				t.Errorf("got %d, want %d: %s", a.status, row.want, a.body)
			}
		})
	}
	link, err := g.s.Desk().Invite(t.Context(), admin.Actor{Kind: admin.KindClient, ID: robot, Scopes: allScopes}, admin.NewInvitation{Roles: []string{"boss"}})
	must(t, err)
	_, err = g.s.Desk().UpdateClient(t.Context(), admin.Operator(), admin.ClientChange{ClientRef: admin.ClientRef{ID: robot}, Scopes: &[]string{"postern:read"}})
	must(t, err)
	g.expectLink(link.URL, 400)
}

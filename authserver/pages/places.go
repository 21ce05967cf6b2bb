package pages

import (
	"slices"
	"strings"
)

// Place is one entry of the navigation.
type Place struct {
	Link
	Here bool
}

var accountPlaces = []Link{
	{"Overview", "/account"},
	{"Profile", "/account/profile"},
	{"Security", "/account/security"},
	{"Signed-in browsers", "/account/sessions"},
	{"Applications", "/account/applications"},
	{"Activity", "/account/activity"},
}

var adminPlaces = []Link{
	{"Overview", "/admin"},
	{"People", "/admin/users"},
	{"Invitations", "/admin/invitations"},
	{"Roles", "/admin/roles"},
	{"Clients", "/admin/clients"},
	{"Grants", "/admin/grants"},
	{"Keys", "/admin/keys"},
	{"Sign-ins", "/admin/sign-ins"},
	{"Risk", "/admin/risk"},
}

// AdminPaths are the places of the administration.
func AdminPaths() []string {
	var paths []string
	for _, p := range adminPlaces {
		paths = append(paths, p.Path)
	}
	return paths
}

// Area is the part of the site the page belongs to: account or admin.
func (f Frame) Area() string {
	if f.At == "/admin" || strings.HasPrefix(f.At, "/admin/") {
		return "admin"
	}
	return "account"
}

// Places are the entries of the area that are open to the visitor.
func (f Frame) Places() []Place {
	all := accountPlaces
	if f.Area() == "admin" {
		all = slices.DeleteFunc(slices.Clone(adminPlaces), func(l Link) bool { return !slices.Contains(f.Visitor.May, l.Path) })
	}
	var places []Place
	for _, l := range all {
		places = append(places, Place{l, l.Path == f.At})
	}
	return places
}

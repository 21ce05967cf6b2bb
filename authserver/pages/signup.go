package pages

import (
	"net/http"
	"slices"
)

// SignUp asks for what an account needs.
type SignUp struct {
	Ticket, Request    string
	Site               string // what the server is called
	Account            string // the address of the account, which they come back to
	Email              string // of the invitation, or ""
	InvitedBy          string // the person who made it, "" for whoever runs the server
	Until              When   // it is good
	Roles              []GivenRole
	Passkeys           bool   // browsers know them for this address
	Username, FullName string // as typed before
	Problem            string
	Field              string // that the problem is about, or ""
}

// GivenRole is a role that comes with an invitation.
type GivenRole struct {
	Name, Words string
	Factor      bool // it counts with a second factor only
}

// FactorNext says that a second factor is set up right afterwards.
func (p SignUp) FactorNext() bool {
	return slices.ContainsFunc(p.Roles, func(r GivenRole) bool { return r.Factor })
}

// SignUp writes the page that creates an account.
func (f Frame) SignUp(w http.ResponseWriter, status int, p SignUp) error {
	return f.write(w, status, "signup.html", view{f, "Create your account", p})
}

// Reset asks for a new password.
type Reset struct {
	Ticket, Site, Username, Problem string
	Field                           string // that the problem is about, or ""
}

// Reset writes the page of a link that sets a password.
func (f Frame) Reset(w http.ResponseWriter, status int, p Reset) error {
	return f.write(w, status, "reset.html", view{f, "Choose a new password", p})
}

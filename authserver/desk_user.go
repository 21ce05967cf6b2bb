package authserver

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/legible"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/strength"
)

type peopleStore interface {
	People(ctx context.Context, f store.PeopleFilter) ([]store.Person, error)
	Person(ctx context.Context, id string) (store.Person, error)
	AddPerson(ctx context.Context, u store.User, roles []string, now time.Time) error
}

type peopleChanges interface {
	ChangePerson(ctx context.Context, id string, now time.Time, change func(store.Person) (store.User, error)) error
	GiveRoles(ctx context.Context, id string, roles []string, now time.Time, check func(store.Person) error, wider store.Wider) error
	DeletePerson(ctx context.Context, id string, check func(store.Person) error) error
}

type identityList interface {
	Identities(ctx context.Context, user string) ([]store.Identity, error)
}

type factorRemover interface {
	RemoveFactors(ctx context.Context, id, kind string, check func(store.Person) error) error
}

// Users are people, by name.
func (d desk) Users(ctx context.Context, _ admin.Actor, q admin.UserQuery) (admin.Page[admin.User], error) {
	at, err := q.Place(1)
	if err != nil {
		return admin.Page[admin.User]{}, err
	}
	f := store.PeopleFilter{Part: q.Search, Name: q.Name, Email: q.Email, Limit: q.Size() + 1}
	if at != nil {
		f.After = at[0]
	}
	found, err := d.s.store.People(ctx, f)
	if err != nil {
		return admin.Page[admin.User]{}, err
	}
	var all []admin.User
	for _, p := range found {
		all = append(all, userOf(p))
	}
	return admin.Cut(all, q.Size(), func(u admin.User) []string { return []string{u.Name} }), nil
}

// User is one person.
func (d desk) User(ctx context.Context, _ admin.Actor, q admin.UserRef) (admin.User, error) {
	p, err := d.s.store.Person(ctx, q.ID)
	if err != nil {
		return admin.User{}, said(err, "user")
	}
	return userOf(p), nil
}

// Identities are a person's accounts at other providers.
func (d desk) Identities(ctx context.Context, _ admin.Actor, q admin.UserRef) (admin.Page[admin.Identity], error) {
	if _, err := d.s.store.UserByID(ctx, q.ID); err != nil {
		return admin.Page[admin.Identity]{}, said(err, "user")
	}
	found, err := d.s.store.Identities(ctx, q.ID)
	var page admin.Page[admin.Identity]
	for _, i := range found {
		page.Items = append(page.Items, admin.Identity{Provider: i.Provider, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, LinkedAt: i.LinkedAt, UsedAt: i.UsedAt})
	}
	return page, err
}

func userOf(p store.Person) admin.User {
	u := admin.User{
		ID: p.ID, Name: p.Name, FullName: p.FullName, Email: p.Email, Verified: p.EmailVerified,
		Disabled: !p.DisabledAt.IsZero(), Password: p.PasswordHash != "",
		CreatedAt: p.CreatedAt, DisabledAt: p.DisabledAt, SignedInAt: p.SignedInAt,
	}
	if u.Password {
		u.PasswordAt = p.PasswordAt
	}
	for _, f := range []struct {
		has  bool
		name string
	}{{p.Generator, "totp"}, {p.Recovery, "recovery_codes"}, {p.Passkeys, "passkey"}} {
		if f.has {
			u.Factors = append(u.Factors, f.name)
		}
	}
	for _, r := range p.Roles {
		u.Roles = append(u.Roles, admin.HeldRole{Role: r.Role, Source: r.Source})
	}
	return u
}

// CreateUser adds a person, and tells the password when it made one.
func (d desk) CreateUser(ctx context.Context, by admin.Actor, n admin.NewUser) (admin.CreatedUser, error) {
	if err := checkUsername(n.Name); err != nil {
		return admin.CreatedUser{}, admin.RefuseMember("name", "%v.", err)
	}
	if err := errors.Join(checkShown("full_name", n.FullName), checkEmail(n.Email)); err != nil {
		return admin.CreatedUser{}, err
	}
	if n.Verified && n.Email == "" {
		return admin.CreatedUser{}, admin.RefuseMember("email_verified", "There is no email that could be verified.")
	}
	if err := errors.Join(d.mayGive(by, n.Roles), d.mayVerify(by, n.Email, n.Verified)); err != nil {
		return admin.CreatedUser{}, err
	}
	u := store.User{ID: newID("user_"), Name: n.Name, FullName: n.FullName, Email: n.Email, EmailVerified: n.Verified}
	hash, made, err := d.firstPassword(ctx, by, n)
	if err != nil {
		return admin.CreatedUser{}, err
	}
	u.PasswordHash = hash
	if err := d.s.store.AddPerson(acting(ctx, by), u, n.Roles, d.s.config.Now()); err != nil {
		return admin.CreatedUser{}, said(err, "user")
	}
	d.note(ctx, by, "user.created", "subject", u.ID, "user", u.Name, "roles", n.Roles)
	created, err := d.User(ctx, by, admin.UserRef{ID: u.ID})
	return admin.CreatedUser{User: created, Password: made}, err
}

// firstPassword gives the hash of a new person's password, and the password
// when nobody chose it.
func (d desk) firstPassword(ctx context.Context, by admin.Actor, n admin.NewUser) (hash, made string, err error) {
	if n.SignIn == admin.WithNothing && n.Password != "" {
		return "", "", admin.RefuseMember("password", "password does not go with sign_in none: leave one of them out.")
	}
	if n.SignIn == admin.WithNothing {
		return "", "", nil
	}
	return d.chosen(ctx, by, n.Password, n.Name, n.FullName, n.Email)
}

// chosen is the hash of a password that was chosen, or of one made here.
func (d desk) chosen(ctx context.Context, by admin.Actor, password string, about ...string) (hash, made string, err error) {
	if password == "" {
		made = madePassword()
		password = made
	}
	hash, err = d.s.newPassword(ctx, actorsTurn(by), password, about...)
	if weak, ok := errors.AsType[strength.Problem](err); ok {
		return "", "", admin.RefuseMember("password", "%s", string(weak))
	}
	if err != nil {
		return "", "", said(err, "user")
	}
	return hash, made, nil
}

// madePassword has 100 bits, in letters that are read without doubt.
func madePassword() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	raw := randomBytes(20)
	for i, b := range raw {
		raw[i] = letters[b%32]
	}
	return string(raw[:5]) + "-" + string(raw[5:10]) + "-" + string(raw[10:15]) + "-" + string(raw[15:])
}

// checkShown: what is shown to others shows all there is, in the order it has.
func checkShown(member, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return !legible.Shows(r) }) {
		return admin.RefuseMember(member, "%s has characters that show nothing, as some emoji do within, or turn others around, or spaces other than the common one: leave them out.", member)
	}
	return nil
}

func checkEmail(address string) error {
	local, domain, found := strings.Cut(address, "@")
	if address == "" {
		return nil
	}
	if !found || local == "" || domain == "" || strings.ContainsAny(domain, "@ ") || strings.ContainsFunc(address, func(r rune) bool { return r == ' ' || !legible.Shows(r) }) {
		return admin.RefuseMember("email", "email is no address: it has one @, no space, and only characters that show.")
	}
	return nil
}

// UpdateUser changes what a person is called, where they are written to, and
// whether they are let in.
func (d desk) UpdateUser(ctx context.Context, by admin.Actor, c admin.UserChange) (admin.User, error) {
	if c.Email != nil {
		if err := checkEmail(*c.Email); err != nil {
			return admin.User{}, err
		}
	}
	if c.FullName != nil {
		if err := checkShown("full_name", *c.FullName); err != nil {
			return admin.User{}, err
		}
	}
	now := d.s.config.Now()
	err := d.s.store.ChangePerson(acting(ctx, by), c.ID, now, func(p store.Person) (store.User, error) {
		if err := admin.Matches(c.IfMatch, userOf(p).Tag()); err != nil {
			return store.User{}, err
		}
		if err := d.mayTouch(by, p); err != nil {
			return store.User{}, err
		}
		u, err := changed(p.User, c, now)
		if err == nil && (u.Email != p.Email || u.EmailVerified != p.EmailVerified) {
			err = errors.Join(d.mayLetIn(by, p), d.mayVerify(by, u.Email, u.EmailVerified))
		}
		return u, err
	})
	if err != nil {
		return admin.User{}, said(err, "user")
	}
	d.note(ctx, by, "user.changed", append([]any{"subject", c.ID}, c.Words()...)...)
	return d.User(ctx, by, c.UserRef)
}

func changed(u store.User, c admin.UserChange, now time.Time) (store.User, error) {
	if c.FullName != nil {
		u.FullName = *c.FullName
	}
	if c.Email != nil && *c.Email != u.Email {
		u.Email, u.EmailVerified = *c.Email, false
	}
	if c.Verified != nil {
		u.EmailVerified = *c.Verified
	}
	if u.EmailVerified && u.Email == "" {
		return store.User{}, admin.RefuseMember("email_verified", "There is no email that could be verified.")
	}
	switch {
	case c.Disabled == nil:
	case !*c.Disabled:
		u.DisabledAt = time.Time{}
	case u.DisabledAt.IsZero():
		u.DisabledAt = now
	}
	return u, nil
}

// SetUserRoles gives a person these roles, and ends tokens that have more.
func (d desk) SetUserRoles(ctx context.Context, by admin.Actor, q admin.UserRoles) (admin.User, error) {
	if err := d.mayGive(by, q.Roles); err != nil {
		return admin.User{}, err
	}
	err := d.s.store.GiveRoles(acting(ctx, by), q.ID, q.Roles, d.s.config.Now(), func(p store.Person) error {
		if err := admin.Matches(q.IfMatch, userOf(p).Tag()); err != nil {
			return err
		}
		return d.mayLetIn(by, p)
	}, d.s.wider)
	if err != nil {
		return admin.User{}, said(err, "user")
	}
	d.note(ctx, by, "user.roles", "subject", q.ID, "roles", q.Roles)
	return d.User(ctx, by, q.UserRef)
}

// SetPassword gives a person another password, and tells it when it made it.
func (d desk) SetPassword(ctx context.Context, by admin.Actor, q admin.PasswordChange) (admin.Password, error) {
	p, err := d.s.store.Person(ctx, q.ID)
	if err != nil {
		return admin.Password{}, said(err, "user")
	}
	hash, made, err := d.chosen(ctx, by, q.Password, p.Name, p.FullName, p.Email)
	if err != nil {
		return admin.Password{}, err
	}
	now := d.s.config.Now()
	err = d.s.store.ChangePerson(acting(ctx, by), q.ID, now, func(p store.Person) (store.User, error) {
		p.PasswordHash, p.PasswordAt = hash, now
		return p.User, d.mayLetIn(by, p)
	})
	if err != nil {
		return admin.Password{}, said(err, "user")
	}
	d.note(ctx, by, "user.password", "subject", q.ID)
	return admin.Password{Password: made}, nil
}

// RemoveFactor removes second factors, for somebody who lost them.
func (d desk) RemoveFactor(ctx context.Context, by admin.Actor, q admin.FactorRef) (admin.None, error) {
	err := d.s.store.RemoveFactors(acting(ctx, by), q.ID, q.Factor, func(p store.Person) error { return d.mayLetIn(by, p) })
	if err != nil {
		return admin.None{}, said(err, "user")
	}
	d.note(ctx, by, "user.factor_removed", "subject", q.ID, "factor", q.Factor)
	return admin.None{}, nil
}

// DeleteUser ends an account with everything it has.
func (d desk) DeleteUser(ctx context.Context, by admin.Actor, q admin.UserRef) (admin.None, error) {
	err := d.s.store.DeletePerson(acting(ctx, by), q.ID, func(p store.Person) error { return d.mayTouch(by, p) })
	if err == nil {
		d.note(ctx, by, "user.deleted", "subject", q.ID)
	}
	return admin.None{}, unlessGone(err)
}

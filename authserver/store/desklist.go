package store

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"
)

// Whose chooses by person, by client, or by both: "" is any, of one of them.
type Whose struct{ User, Client string }

// condition is on two columns, with the parameters $1 and, of both, $n.
func (w Whose) condition(user, client string, n int) (condition string, first string, more []any) {
	switch {
	case w.User == "":
		return client + " = $1", w.Client, nil
	case w.Client == "":
		return user + " = $1", w.User, nil
	}
	return user + " = $1 AND " + client + " = $" + strconv.Itoa(n), w.User, []any{w.Client}
}

// GrantOf is a grant with the name of its person.
type GrantOf struct {
	Grant
	UserName string
}

// GrantsOf are at most limit good grants, the newest first, from the one
// before on (the zero time for the beginning).
func (s *DB) GrantsOf(ctx context.Context, w Whose, before time.Time, id string, now time.Time, limit int) ([]GrantOf, error) {
	whose, first, more := w.condition("g.user_id", "g.client_id", 6)
	args := append([]any{first, millis(now), beginning(before), id, limit}, more...)
	return list(ctx, s.read, func(row scanner) (GrantOf, error) {
		var g GrantOf
		var scope, methods string
		var auth, created, expires int64
		err := row.Scan(&g.ID, &g.ClientID, &g.UserID, &g.UserName, &g.Resource, &scope, &auth, &created, &expires, &g.Details, &methods)
		g.Scope, g.Methods = strings.Fields(scope), strings.Fields(methods)
		g.AuthTime, g.CreatedAt, g.ExpiresAt = moment(auth), moment(created), moment(expires)
		return g, err
	}, `SELECT g.id, g.client_id, g.user_id, u.name, g.resource, g.scope, g.auth_time, g.created_at, g.expires_at, g.details, g.amr
		FROM grants g JOIN users u ON u.id = g.user_id
		WHERE `+whose+` AND g.revoked_at = 0 AND g.expires_at > $2 AND (g.created_at, g.id) < ($3, $4)
		ORDER BY g.created_at DESC, g.id DESC LIMIT $5`, args...)
}

// Token is an access token with what its grant says.
type Token struct {
	AccessToken
	Resource string   // "" of a machine's own
	Scope    []string // of the grant: the token has this, or less
}

// TokensOf are at most limit access tokens that were not revoked and are kept
// after a moment, the newest first, with places below one (0 for all).
func (s *DB) TokensOf(ctx context.Context, w Whose, below uint64, after time.Time, limit int) ([]Token, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	whose, first, more := w.condition("t.subject", "t.client_id", 5)
	args := append([]any{first, below, millis(after), limit}, more...)
	return list(ctx, s.read, func(row scanner) (Token, error) {
		var t Token
		var scope string
		var expires int64
		err := row.Scan(&t.Place, &t.ID, &t.GrantID, &t.ClientID, &t.Subject, &expires, &t.Resource, &scope)
		t.Scope, t.ExpiresAt = strings.Fields(scope), moment(expires)
		return t, err
	}, `SELECT t.place, t.id, t.grant_id, t.client_id, t.subject, t.expires_at, coalesce(g.resource, ''), coalesce(g.scope, '')
		FROM access_tokens t LEFT JOIN grants g ON g.id = t.grant_id
		WHERE `+whose+` AND t.place < $2 AND t.expires_at > $3
		AND NOT `+isEnded+`
		ORDER BY t.place DESC LIMIT $4`, args...)
}

// AllSessions are at most limit sessions that have not expired, of a person or
// of everybody (""), the newest first, from the one before on.
func (s *DB) AllSessions(ctx context.Context, user string, before time.Time, hash []byte, now time.Time, limit int) ([]Session, error) {
	where, args := "", []any{millis(now), beginning(before), hash, limit}
	if user != "" {
		where, args = " AND s.user_id = $5", append(args, user)
	}
	return list(ctx, s.read, session, sessionQuery+`WHERE s.expires_at > $1 AND (s.created_at, s.hash) < ($2, $3)`+where+`
		ORDER BY s.created_at DESC, s.hash DESC LIMIT $4`, args...)
}

// SignInRow is a sign-in with the name of its person.
type SignInRow struct {
	Number           int64
	At               time.Time
	UserID, UserName string
	Outcome          string
	Reasons          []string
	Address, Agent   string
	ClientID         string
	Methods          []string
}

// SignInRows are at most limit sign-ins, of a person or of everybody, with an
// outcome or any, the newest first, with numbers below one (0 for all).
func (s *DB) SignInRows(ctx context.Context, user, outcome string, below int64, limit int) ([]SignInRow, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	where, args := "", []any{below, outcome, limit}
	if user != "" {
		where, args = " AND i.user_id = $4", append(args, user)
	}
	return list(ctx, s.read, func(row scanner) (SignInRow, error) {
		var r SignInRow
		var at int64
		var reasons, methods string
		err := row.Scan(&r.Number, &at, &r.UserID, &r.UserName, &r.Outcome, &reasons, &r.Address, &r.Agent, &r.ClientID, &methods)
		r.At, r.Reasons, r.Methods = moment(at), strings.Fields(reasons), strings.Fields(methods)
		return r, err
	}, `SELECT i.number, i.at, i.user_id, coalesce(u.name, ''), i.outcome, i.reasons, i.address, i.agent, i.client_id, i.amr
		FROM sign_ins i LEFT JOIN users u ON u.id = i.user_id
		WHERE i.number < $1 AND ($2 = '' OR i.outcome = $2)`+where+` ORDER BY i.number DESC LIMIT $3`, args...)
}

// Holder is somebody who was given a role.
type Holder struct {
	ID, Name, Source string
	At               time.Time
}

// UsersWith are at most limit people with a role, after a place in the order
// of id and source.
func (s *DB) UsersWith(ctx context.Context, role, id, source string, limit int) ([]Holder, error) {
	return list(ctx, s.read, holder, `SELECT r.user_id, u.name, r.source, r.at FROM user_roles r JOIN users u ON u.id = r.user_id
		WHERE r.role = $1 AND (r.user_id, r.source) > ($2, $3) ORDER BY r.user_id, r.source LIMIT $4`, role, id, source, limit)
}

// ClientsWith are at most limit clients with a role, after an id.
func (s *DB) ClientsWith(ctx context.Context, role, id string, limit int) ([]Holder, error) {
	all, err := list(ctx, s.read, holder, `SELECT r.client_id, c.metadata, '', r.at FROM client_roles r JOIN clients c ON c.id = r.client_id
		WHERE r.role = $1 AND r.client_id > $2 ORDER BY r.client_id LIMIT $3`, role, id, limit)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name, err = clientName(all[i].Name); err != nil {
			return nil, err
		}
		all[i].Source = Assigned
	}
	return all, nil
}

func holder(row scanner) (Holder, error) {
	var h Holder
	var at int64
	err := row.Scan(&h.ID, &h.Name, &h.Source, &at)
	h.At = moment(at)
	return h, err
}

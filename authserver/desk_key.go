package authserver

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/store"
)

type signInLists interface {
	SignInRows(ctx context.Context, user, outcome string, below int64, limit int) ([]store.SignInRow, error)
}

// SignIns are tries to sign in that were decided, the latest first.
func (d desk) SignIns(ctx context.Context, _ admin.Actor, q admin.SignInQuery) (admin.Page[admin.SignIn], error) {
	below, err := numberPlace(q.Paging)
	if err != nil {
		return admin.Page[admin.SignIn]{}, err
	}
	found, err := d.s.store.SignInRows(ctx, q.User, q.Outcome, below, q.Size()+1)
	if err != nil {
		return admin.Page[admin.SignIn]{}, err
	}
	var all []admin.SignIn
	names := clientNames{}
	for _, r := range found {
		name, err := names.of(ctx, d, r.ClientID)
		if err != nil {
			return admin.Page[admin.SignIn]{}, err
		}
		all = append(all, admin.SignIn{Number: r.Number, At: r.At, UserID: r.UserID, UserName: r.UserName, Outcome: r.Outcome, Reasons: r.Reasons,
			Address: r.Address, Agent: r.Agent, ClientID: r.ClientID, ClientName: name, Methods: r.Methods})
	}
	return admin.Cut(all, q.Size(), func(r admin.SignIn) []string { return []string{strconv.FormatInt(r.Number, 10)} }), nil
}

// Keys are those that tokens are signed with.
func (d desk) Keys(ctx context.Context, _ admin.Actor, _ admin.None) (admin.Page[admin.Key], error) {
	found, err := d.s.keys.List(ctx)
	var page admin.Page[admin.Key]
	for _, k := range found {
		page.Items = append(page.Items, keyOf(k))
	}
	return page, err
}

func keyOf(k keyring.Key) admin.Key {
	return admin.Key{ID: k.ID, Algorithm: k.Algorithm, State: string(k.State), SignsFrom: k.SignsFrom.UTC(), Until: k.Until.UTC()}
}

// RotateKey publishes the next key.
func (d desk) RotateKey(ctx context.Context, by admin.Actor, q admin.KeyRotation) (admin.Key, error) {
	after := d.s.config.Keys.PublishBefore
	if q.After != 0 {
		after = time.Duration(q.After) * time.Second
	}
	k, err := d.s.keys.Rotate(acting(ctx, by), after)
	if errors.Is(err, keyring.ErrMany) || errors.Is(err, keyring.ErrAtOnce) {
		return admin.Key{}, admin.Refuse(admin.Conflict, "%v.", err)
	}
	if err != nil {
		return admin.Key{}, said(err, "key")
	}
	d.note(ctx, by, "key.rotated", "kid", k.ID)
	return keyOf(k), nil
}

// RevokeKey takes a key back at once.
func (d desk) RevokeKey(ctx context.Context, by admin.Actor, q admin.KeyRef) (admin.Key, error) {
	k, err := d.s.keys.Revoke(acting(ctx, by), q.ID)
	if errors.Is(err, ErrUnknown) {
		return admin.Key{}, admin.Refuse(admin.NotFound, "There is no good key of this kid: list the keys.")
	}
	if errors.Is(err, keyring.ErrAtOnce) {
		return admin.Key{}, admin.Refuse(admin.Conflict, "%v.", err)
	}
	if err != nil {
		return admin.Key{}, said(err, "key")
	}
	d.note(ctx, by, "key.taken_back", "kid", q.ID, "by_kid", k.ID)
	return keyOf(k), nil
}

// Status is how the server is.
func (d desk) Status(ctx context.Context, _ admin.Actor, _ admin.None) (admin.Status, error) {
	now := d.s.config.Now().UTC()
	v := admin.Status{Issuer: d.s.config.Issuer, Now: now.Truncate(time.Millisecond), Away: unanswered(d.s.Ready(ctx))}
	v.Ready = v.Away == ""
	keys, err := d.s.keys.List(ctx)
	for _, k := range keys {
		if k.State == keyring.Signs {
			v.Key = keyOf(k)
		}
	}
	return v, err
}

// unanswered is what an error of Ready is about; "" of none.
func unanswered(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrUnrecorded):
		return "audit"
	case errors.Is(err, store.ErrAway):
		return "redis"
	}
	return "database"
}

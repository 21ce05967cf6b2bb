package authserver

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

type storedClients interface {
	StoredClients(ctx context.Context, f store.ClientsFilter) ([]store.Stored, error)
	StoredClient(ctx context.Context, id string) (store.Stored, error)
	AddStored(ctx context.Context, c store.Client, roles []string) error
}

type clientChanges interface {
	ChangeClient(ctx context.Context, id string, now time.Time, change func(store.Stored) (store.ClientChange, error)) error
}

// Clients are those that are stored, the newest first.
func (d desk) Clients(ctx context.Context, _ admin.Actor, q admin.ClientQuery) (admin.Page[admin.Client], error) {
	before, id, err := timePlace(q.Paging)
	if err != nil {
		return admin.Page[admin.Client]{}, err
	}
	found, err := d.s.store.StoredClients(ctx, store.ClientsFilter{Part: q.Search, Dynamic: q.Registered, Before: before, ID: id, Limit: q.Size() + 1})
	if err != nil {
		return admin.Page[admin.Client]{}, err
	}
	var all []admin.Client
	for _, c := range found {
		all = append(all, d.clientOf(c))
	}
	return admin.Cut(all, q.Size(), func(c admin.Client) []string { return atTime(c.CreatedAt, c.ID) }), nil
}

// Client is one that is stored.
func (d desk) Client(ctx context.Context, _ admin.Actor, q admin.ClientRef) (admin.Client, error) {
	c, err := d.s.store.StoredClient(ctx, q.ID)
	if err != nil {
		return admin.Client{}, said(err, "client")
	}
	return d.clientOf(c), nil
}

func (d desk) clientOf(c store.Stored) admin.Client {
	v := admin.Client{
		ID: c.ID, Name: c.Name, URI: c.URI, AuthMethod: c.AuthMethod, Grants: c.Grants, Scopes: c.Scope, Bounded: c.Bounded,
		Redirects: c.Redirects, Resources: c.Resources, Registered: c.Dynamic, Bound: c.DPoPBound, Roles: c.Roles, CreatedAt: c.CreatedAt,
	}
	if c.SecretBeforeUntil > d.s.config.Now().UnixMilli() {
		v.SecretBefore = time.UnixMilli(c.SecretBeforeUntil).UTC()
	}
	return v
}

// clientNames are what clients are called, each looked up once for a list.
type clientNames map[string]string

// of is the name of a client, "" of one that has none or is gone. A document is
// not fetched for it: the host of its address says enough.
func (n clientNames) of(ctx context.Context, d desk, id string) (string, error) {
	if name, known := n[id]; known || id == "" {
		return name, nil
	}
	switch {
	case d.s.documents.IsID(id):
		n[id] = redirectHost(id)
	case id == adminClient:
		n[id] = d.s.commandClient().Name
	default:
		c, err := d.s.store.Client(ctx, id)
		if unlessGone(err) != nil {
			return "", err
		}
		n[id] = c.Name
	}
	return n[id], nil
}

// CreateClient adds a machine, or a resource server.
func (d desk) CreateClient(ctx context.Context, by admin.Actor, n admin.NewClient) (admin.CreatedClient, error) {
	c, err := d.drafted(n)
	if err != nil {
		return admin.CreatedClient{}, err
	}
	if err := errors.Join(checkShown("name", n.Name), d.mayScope(by, n.Scopes), d.mayGive(by, n.Roles)); err != nil {
		return admin.CreatedClient{}, err
	}
	secret := ""
	if c.AuthMethod != authKey {
		if !slices.Contains(d.s.methods(), authBasic) {
			return admin.CreatedClient{}, admin.Refuse(admin.Conflict, "%v.", errNoSecrets)
		}
		c.AuthMethod = authBasic
		secret = newSecret("pcs_")
		h := hashOf(secret)
		c.SecretHash = h[:]
	}
	c.ID, c.CreatedAt = newID("client_"), d.s.config.Now()
	if err := d.s.store.AddStored(acting(ctx, by), c, n.Roles); err != nil {
		return admin.CreatedClient{}, said(err, "client")
	}
	return d.createdClient(ctx, by, c, secret)
}

// drafted is a client as it was asked for: a machine, or a resource server.
func (d desk) drafted(n admin.NewClient) (store.Client, error) {
	c := store.Client{Name: n.Name, Bounded: true}
	switch {
	case len(n.Scopes) > 0 && len(n.Resources) > 0:
		return c, admin.RefuseMember("resources", "A resource server has no scopes: leave out resources or scopes.")
	case len(n.Resources) == 0 && n.Keys != nil:
		return c, admin.RefuseMember("jwks", "jwks goes with resources; register a machine that has keys with its metadata.")
	case len(n.Resources) == 0 && len(n.Scopes) == 0:
		return c, admin.RefuseMember("scopes", "scopes is required: a client without a scope can do nothing.")
	case len(n.Resources) == 0:
		c.Scope, c.Grants = n.Scopes, []string{grantMachine}
		return c, nil
	case len(n.Roles) > 0:
		return c, admin.RefuseMember("roles", "A resource server gets no tokens, so roles give it nothing: leave them out.")
	}
	if err := d.s.serves(n.Resources); err != nil {
		return c, admin.RefuseMember("resources", "%v.", err)
	}
	c.Resources = n.Resources
	if n.Keys == nil {
		return c, nil
	}
	if _, err := clientdoc.ParseKeys(n.Keys); err != nil {
		return c, admin.RefuseMember("jwks", "%v.", err)
	}
	c.AuthMethod, c.Keys = authKey, n.Keys
	return c, nil
}

func (d desk) createdClient(ctx context.Context, by admin.Actor, c store.Client, secret string) (admin.CreatedClient, error) {
	d.note(ctx, by, "client.created", "client_id", c.ID, "name", c.Name, "scopes", c.Scope, "resources", c.Resources, "auth_method", c.AuthMethod)
	created, err := d.Client(ctx, by, admin.ClientRef{ID: c.ID})
	return admin.CreatedClient{Client: created, Secret: secret}, err
}

// RegisterClient adds a client of any kind that metadata describes.
func (d desk) RegisterClient(ctx context.Context, by admin.Actor, r admin.Registration) (admin.CreatedClient, error) {
	c, secret, err := d.s.operatorsClient(r.Metadata)
	if err != nil {
		return admin.CreatedClient{}, admin.RefuseMember("metadata", "%v.", err)
	}
	if err := d.mayScope(by, c.Scope); err != nil {
		return admin.CreatedClient{}, err
	}
	if err := d.s.store.AddStored(acting(ctx, by), c, nil); err != nil {
		return admin.CreatedClient{}, said(err, "client")
	}
	return d.createdClient(ctx, by, c, secret)
}

// change changes a client that the actor may touch, and says what it is then.
func (d desk) change(ctx context.Context, by admin.Actor, q admin.ClientRef, ifMatch string, change func(*store.ClientChange) error) (admin.Client, error) {
	err := d.s.store.ChangeClient(acting(ctx, by), q.ID, d.s.config.Now(), func(was store.Stored) (store.ClientChange, error) {
		if err := admin.Matches(ifMatch, d.clientOf(was).Tag()); err != nil {
			return store.ClientChange{}, err
		}
		if err := d.mayTouchClient(by, was); err != nil {
			return store.ClientChange{}, err
		}
		c := store.ClientChange{Client: was.Client, Roles: was.Roles}
		return c, change(&c)
	})
	if err != nil {
		return admin.Client{}, said(err, "client")
	}
	return d.Client(ctx, by, q)
}

// UpdateClient changes what a client is called and may have.
func (d desk) UpdateClient(ctx context.Context, by admin.Actor, n admin.ClientChange) (admin.Client, error) {
	if n.Scopes != nil {
		if err := d.mayScope(by, *n.Scopes); err != nil {
			return admin.Client{}, err
		}
	}
	if n.Name != nil {
		if err := checkShown("name", *n.Name); err != nil {
			return admin.Client{}, err
		}
	}
	c, err := d.change(ctx, by, n.ClientRef, n.IfMatch, func(c *store.ClientChange) error {
		if n.Name != nil {
			c.Client.Name = *n.Name
		}
		if n.Scopes == nil {
			return nil
		}
		if c.Client.Bounded && len(*n.Scopes) == 0 || len(c.Client.Resources) > 0 {
			return admin.RefuseMember("scopes", "A machine needs a scope, and a resource server has none.")
		}
		c.Ends = len(without(c.Client.Scope, *n.Scopes)) > 0
		c.Client.Scope = *n.Scopes
		return nil
	})
	if err == nil {
		d.note(ctx, by, "client.changed", "client_id", n.ID, "name", c.Name, "scopes", c.Scopes)
	}
	return c, err
}

// SetClientRoles gives a machine these roles, and ends its tokens, which may
// have more.
func (d desk) SetClientRoles(ctx context.Context, by admin.Actor, q admin.ClientRoles) (admin.Client, error) {
	if err := d.mayGive(by, q.Roles); err != nil {
		return admin.Client{}, err
	}
	c, err := d.change(ctx, by, q.ClientRef, q.IfMatch, func(c *store.ClientChange) error {
		if !slices.Contains(c.Client.Grants, grantMachine) {
			return admin.Refuse(admin.Conflict, "Roles bound what a machine gets of its own: this client has no client_credentials grant. What people grant it is bounded by their roles.")
		}
		c.Ends = !slices.Equal(c.Roles, q.Roles)
		c.Roles = q.Roles
		return nil
	})
	if err == nil {
		d.note(ctx, by, "client.roles", "client_id", q.ID, "roles", q.Roles)
	}
	return c, err
}

// RotateSecret makes another secret; the one before is good for the overlap.
func (d desk) RotateSecret(ctx context.Context, by admin.Actor, q admin.SecretRotation) (admin.CreatedClient, error) {
	secret := newSecret("pcs_")
	c, err := d.change(ctx, by, q.ClientRef, "", func(c *store.ClientChange) error {
		if len(c.Client.SecretHash) == 0 {
			return admin.Refuse(admin.Conflict, "This client has no secret: it proves itself by %s.", c.Client.AuthMethod)
		}
		c.Client.SecretBefore, c.Client.SecretBeforeUntil = nil, 0
		if q.Overlap > 0 {
			until := d.s.config.Now().Add(time.Duration(q.Overlap) * time.Second)
			c.Client.SecretBefore, c.Client.SecretBeforeUntil = c.Client.SecretHash, until.UnixMilli()
		}
		h := hashOf(secret)
		c.Client.SecretHash = h[:]
		return nil
	})
	if err != nil {
		return admin.CreatedClient{}, err
	}
	d.note(ctx, by, "client.secret", "client_id", q.ID, "overlap_seconds", q.Overlap)
	return admin.CreatedClient{Client: c, Secret: secret}, nil
}

// DeleteClient ends a client with everything it was given.
func (d desk) DeleteClient(ctx context.Context, by admin.Actor, q admin.ClientRef) (admin.None, error) {
	c, err := d.s.store.StoredClient(ctx, q.ID)
	if err == nil {
		err = d.mayTouchClient(by, c)
	}
	if unlessGone(err) != nil {
		return admin.None{}, err
	}
	err = d.s.store.DeleteClient(acting(ctx, by), q.ID)
	if err == nil {
		d.note(ctx, by, "client.deleted", "client_id", q.ID)
	}
	return admin.None{}, unlessGone(err)
}

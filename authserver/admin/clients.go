package admin

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Client is an application or a machine.
type Client struct {
	ID           string    `json:"id" doc:"client_id"`
	Name         string    `json:"name"`
	URI          string    `json:"uri,omitzero" doc:"client_uri, as it says"`
	AuthMethod   string    `json:"token_endpoint_auth_method"`
	Grants       []string  `json:"grant_types"`
	Scopes       []string  `json:"scopes"`
	Bounded      bool      `json:"bounded" doc:"scopes are all it may ever have; else they are what it gets without asking"`
	Redirects    []string  `json:"redirect_uris"`
	Resources    []string  `json:"resources" doc:"Of a resource server: whose tokens it may ask about"`
	Registered   bool      `json:"registered" doc:"It registered itself"`
	Bound        bool      `json:"dpop_bound" doc:"It must show DPoP proofs"`
	Roles        []string  `json:"roles"`
	CreatedAt    time.Time `json:"created_at"`
	SecretBefore time.Time `json:"previous_secret_until,omitzero" doc:"The secret before the last rotation is good until then"`
}

// Tag changes with everything that is said of the client.
func (c Client) Tag() string { return tagOf(c) }

// ClientQuery chooses among clients, the newest first.
type ClientQuery struct {
	Paging
	Search     string `query:"search" json:"-" max:"320" doc:"Only those that have this in their name, in capitals or not, or this client_id"`
	Registered *bool  `query:"registered" json:"-" doc:"Only those that registered themselves, or only those of operators"`
}

// ClientRef names one client.
type ClientRef struct {
	ID string `path:"client" json:"-" doc:"client_id; one that is a URL goes percent-encoded"`
}

// NewClient is a machine to create: one for the client credentials grant,
// with scopes, or a resource server, with resources.
type NewClient struct {
	Name      string         `json:"name" max:"200"`
	Scopes    []string       `json:"scopes,omitempty" max:"200" doc:"All that the machine may ask for"`
	Roles     []string       `json:"roles,omitempty" max:"32" doc:"It gets no more than these allow, too"`
	Resources []string       `json:"resources,omitempty" max:"200" doc:"Of a resource server: whose tokens it may ask about. It has no scopes"`
	Keys      jsontext.Value `json:"jwks,omitzero" doc:"Of a resource server: its public keys, a JWK Set. It has no secret then"`
}

// CreatedClient is the client, and what is told once.
type CreatedClient struct {
	Client Client `json:"client"`
	Secret string `json:"secret,omitzero" doc:"client_secret; it is not told again"`
}

// Registration is client metadata (RFC 7591 §2) of a client of any kind.
type Registration struct {
	Metadata jsontext.Value `json:"metadata" doc:"Client metadata of RFC 7591 §2"`
}

// ClientChange is what becomes different: absent members stay.
type ClientChange struct {
	ClientRef
	IfMatch string    `header:"If-Match" json:"-" max:"100" doc:"ETag of what was read: refused with 412 when it is not that any more"`
	Name    *string   `json:"name,omitzero" max:"200"`
	Scopes  *[]string `json:"scopes,omitzero" max:"200" doc:"Live tokens that have more are revoked"`
}

// ClientRoles are the roles a client shall have.
type ClientRoles struct {
	ClientRef
	IfMatch string   `header:"If-Match" json:"-" max:"100" doc:"ETag of what was read: refused with 412 when it is not that any more"`
	Roles   []string `json:"roles" max:"32" doc:"All of them: what is not named is taken away"`
}

// SecretRotation makes another secret.
type SecretRotation struct {
	ClientRef
	Overlap int `json:"overlap_seconds,omitzero" min:"0" max:"604800" doc:"For how long the secret before is good as well"`
}

// Grant is what a person allowed a client.
type Grant struct {
	ID         string    `json:"id"`
	UserID     string    `json:"user_id"`
	UserName   string    `json:"user_name"`
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name" doc:"What the client is called: the host of one that is known by a metadata document; empty when it has no name"`
	Resource   string    `json:"resource"`
	Scopes     []string  `json:"scopes"`
	Methods    []string  `json:"amr" doc:"How the person had proved who they are (RFC 8176)"`
	AuthTime   time.Time `json:"auth_time"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at" doc:"When the last of its tokens is over, unless it is refreshed"`
}

// Whose chooses by person, by client, or by both.
type Whose struct {
	User   string `query:"user" json:"-" max:"200" doc:"id of a person. user, client or both are required"`
	Client string `query:"client" json:"-" max:"2048" doc:"client_id"`
}

// GrantQuery chooses among grants that are good, the newest first.
type GrantQuery struct {
	Paging
	Whose
}

// GrantRef names one grant.
type GrantRef struct {
	ID string `path:"grant" json:"-"`
}

// Token is an access token that is out.
type Token struct {
	ID        string    `json:"id" doc:"jti"`
	ClientID  string    `json:"client_id"`
	Subject   string    `json:"sub"`
	GrantID   string    `json:"grant_id,omitzero" doc:"Absent: a machine's own"`
	Resource  string    `json:"resource,omitzero" doc:"Of its grant"`
	Scopes    []string  `json:"scopes,omitempty" doc:"Of its grant: the token has these, or less"`
	ExpiresAt time.Time `json:"expires_at"`
}

// TokenQuery chooses among live access tokens, the newest first.
type TokenQuery struct {
	Paging
	Whose
}

// TokenRef names one access token.
type TokenRef struct {
	ID string `path:"token" json:"-" doc:"jti"`
}

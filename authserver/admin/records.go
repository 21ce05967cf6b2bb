package admin

import "time"

// Session is a browser in which somebody is signed in.
type Session struct {
	ID        string    `json:"id"`
	UserID    string    `json:"user_id"`
	UserName  string    `json:"user_name"`
	Methods   []string  `json:"amr" doc:"How the person proved who they are (RFC 8176; recovery: a recovery code)"`
	AuthTime  time.Time `json:"auth_time"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	SeenAt    time.Time `json:"seen_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
	Address   string    `json:"address,omitzero"`
	Agent     string    `json:"agent,omitzero" doc:"The browser, as it says"`
}

// SessionQuery chooses among sessions.
type SessionQuery struct {
	Paging
	User string `query:"user" json:"-" max:"200" doc:"Only of this person, by id"`
}

// SessionRef names one session.
type SessionRef struct {
	ID string `path:"session" json:"-"`
}

// Key is a key that tokens are signed with.
type Key struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg,omitzero" doc:"Absent of a revoked key"`
	State     string    `json:"state" enum:"next,signs,kept,revoked" doc:"next: published and not used yet; signs; kept: published until what it signed has expired; revoked"`
	SignsFrom time.Time `json:"signs_from"`
	Until     time.Time `json:"until,omitzero" doc:"signs: the next one signs, at the latest; kept: it is gone; revoked: when that was"`
}

// KeyRotation publishes the next key.
type KeyRotation struct {
	After int `json:"after_seconds,omitzero" min:"15" max:"31536000" doc:"For how long it must have been published before it signs; as configured when absent"`
}

// KeyRef names one key.
type KeyRef struct {
	ID string `path:"key" json:"-" doc:"kid"`
}

// SignIn is one try to sign in that was decided.
type SignIn struct {
	Number     int64     `json:"number" doc:"Later ones have higher numbers"`
	At         time.Time `json:"at"`
	UserID     string    `json:"user_id,omitzero"`
	UserName   string    `json:"user_name,omitzero"`
	Outcome    string    `json:"outcome" enum:"allow,step_up,refuse,failed" doc:"step_up: a second factor was asked for, and not shown yet; failed: nothing was proven"`
	Reasons    []string  `json:"reasons"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
	ClientID   string    `json:"client_id,omitzero" doc:"Where the person was going; absent: to a page of this server"`
	ClientName string    `json:"client_name,omitzero" doc:"What that client is called, while it is there"`
	Methods    []string  `json:"amr"`
}

// SignInQuery chooses among sign-ins, the newest first.
type SignInQuery struct {
	Paging
	User    string `query:"user" json:"-" max:"200" doc:"Only of this person, by id"`
	Outcome string `query:"outcome" json:"-" enum:"allow,step_up,refuse,failed" doc:"Only with this outcome"`
}

// Status is how the server is.
type Status struct {
	Issuer string    `json:"issuer" format:"uri"`
	Now    time.Time `json:"now"`
	Ready  bool      `json:"ready" doc:"Everything answers that is needed"`
	Away   string    `json:"away,omitzero" enum:"database,redis,audit" doc:"What does not, unless it is ready: the database, the Redis that has who is signed in, or where audit lines go"`
	Key    Key       `json:"key" doc:"The one that signs"`
}

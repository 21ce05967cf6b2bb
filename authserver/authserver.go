// Package authserver is an OAuth 2.1 authorization server for MCP.
package authserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Scope is one scope a resource understands.
type Scope struct {
	Name        string
	Description string // words for the consent page
	Default     bool   // granted when a request names no scope
}

// Resource is a protected resource tokens may be issued for (RFC 8707).
type Resource struct {
	URL    string // exact identifier, becomes aud
	Name   string
	Scopes []Scope
}

// Registration says who may register a client (RFC 7591).
type Registration string

const (
	RegistrationClosed Registration = "closed"
	RegistrationToken  Registration = "token" // an initial access token is required
	RegistrationOpen   Registration = "open"
)

// Replay remembers single-use things; package replay has two.
type Replay interface {
	Use(ctx context.Context, key [32]byte, now, until time.Time) (first bool, err error)
}

// Config is everything New needs. A required field that is empty is an error, never a check less.
type Config struct {
	Issuer            string // https, or http on a loopback host
	Secret            []byte // ≥32 bytes: seals keys at rest, nonces, form tokens
	Resources         []Resource
	Registration      Registration
	RegistrationToken string        // required with RegistrationToken
	AccessTokenLife   time.Duration // 1…60 min
	RefreshTokenLife  time.Duration
	CodeLife          time.Duration // ≤10 min
	DPoPNonce         bool          // demand a nonce in every proof
	LoopbackDocuments bool          // client ID metadata documents may live on http loopback: for development only
	Replay            Replay
	Log               *slog.Logger
	Now               func() time.Time
}

// Server is the authorization server.
type Server struct{ _ int }

// New opens the database (sqlite:PATH), migrates it, and loads or makes the signing key.
func New(ctx context.Context, c Config, databaseURL string) (*Server, error) { panic("unwritten") }

// Handler serves every endpoint.
func (s *Server) Handler() http.Handler { panic("unwritten") }

// Close flushes and closes the store.
func (s *Server) Close() error { panic("unwritten") }

// CreateUser adds a person who can sign in. ErrExists when the name is taken.
func (s *Server) CreateUser(ctx context.Context, username, password string) error { panic("unwritten") }

// CreateClient adds a confidential machine client (client credentials) for all
// resources; scopes bounds what it may ask for, and asking for nothing gets
// the defaults of the resource. It returns the generated id and secret.
func (s *Server) CreateClient(ctx context.Context, name string, scopes []string) (id, secret string, err error) {
	panic("unwritten")
}

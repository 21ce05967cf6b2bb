// Package config reads postern.yaml: one strict file for the proxy and the
// authorization server. Every mistake is reported with its line and column.
// Secrets never stand in the file: they are references to files.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-mcp/postern/config/strictyaml"
)

// File is the content of postern.yaml. Paths are absolute after Load: a
// relative one counts from the folder of the file. No key is reloaded while
// the process runs; a restart takes every change.
type File struct {
	Listen     string      `yaml:"listen"`     // host:port of the proxy
	PublicURL  string      `yaml:"public_url"` // scheme and host clients use; the only source of htu, resource and challenges
	Hosts      []string    `yaml:"hosts"`      // further Host values accepted, beside that of public_url
	Origins    []string    `yaml:"origins"`    // browser origins accepted, beside that of public_url
	DPoPNonce  string      `yaml:"dpop_nonce"` // required (default) or optional
	Issuers    []Issuer    `yaml:"issuers"`
	Servers    []Server    `yaml:"servers"`
	State      State       `yaml:"state"`
	Audit      Audit       `yaml:"audit"`
	Admin      Admin       `yaml:"admin"`
	Limits     Limits      `yaml:"limits"`
	TLS        *TLS        `yaml:"tls"` // of listen; absent: plain HTTP, and TLS ends in front
	AuthServer *AuthServer `yaml:"authserver"`

	doc *strictyaml.Document // where it was read from
}

// State is what outlives a request.
type State struct {
	SecretFile string `yaml:"secret_file"` // ≥32 random bytes, shared by replicas; absent: made anew at each start
	Redis      *Redis `yaml:"redis"`       // absent: exact in memory, one replica only
}

// Redis holds what replicas share.
type Redis struct {
	URLFile string `yaml:"url_file"` // file with a redis:// or rediss:// URL
}

// Audit says where the audit lines go: exactly one of the two.
type Audit struct {
	File   string `yaml:"file"`
	Stdout bool   `yaml:"stdout"`
}

// Admin is the port of metrics and health, apart from callers.
type Admin struct {
	Listen string   `yaml:"listen"`
	Hosts  []string `yaml:"hosts"` // names it is called by, beside localhost and every IP address; without a port
}

// AuthServer is the bundled authorization server.
type AuthServer struct {
	Listen          string          `yaml:"listen"`
	TLS             *TLS            `yaml:"tls"` // of listen
	Issuer          string          `yaml:"issuer"`
	Hosts           []string        `yaml:"hosts"`                // further Host values answered, beside the issuer's
	Database        string          `yaml:"database"`             // sqlite:PATH, or postgres://… without a password
	DatabaseFile    string          `yaml:"database_url_file"`    // instead of database: file with the postgres://… URL
	ShortLived      string          `yaml:"short_lived"`          // where codes, devices that wait and sessions are: database (default), or redis, the one of state.redis
	SecretFile      string          `yaml:"secret_file"`          // ≥32 random bytes; or:
	SecretEnv       string          `yaml:"secret_env"`           // name of a variable that holds them
	PreviousFile    string          `yaml:"secret_previous_file"` // the secret before, until everything is resealed
	PreviousEnv     string          `yaml:"secret_previous_env"`
	Keys            Keys            `yaml:"keys"`
	Profile         string          `yaml:"profile"`                 // mcp (default) or fapi2
	AuthoritiesFile string          `yaml:"client_ca_file"`          // PEM: authorities of certificates for tls_client_auth
	Registration    string          `yaml:"registration"`            // closed (default), token or open
	TokenFile       string          `yaml:"registration_token_file"` // with registration: token
	StepUpFile      string          `yaml:"step_up_secret_file"`     // shared with proxies that tell of step-ups; absent: none does
	ClientDocuments ClientDocuments `yaml:"client_documents"`
	RedirectSchemes []string        `yaml:"redirect_schemes"` // private-use schemes without a dot that clients may register
	TrustedProxies  []Network       `yaml:"trusted_proxies"`  // whose X-Forwarded-For is believed
	Limits          IssuerLimits    `yaml:"limits"`
	SignIn          SignIn          `yaml:"sign_in"` // how sign-ins are judged
	SignUp          string          `yaml:"sign_up"` // who may create an account: closed (default), invitation or open
	SecondFactor    SecondFactor    `yaml:"second_factor"`
	DPoPNonce       string          `yaml:"dpop_nonce"`         // required (default) or optional
	AccessTokenLife time.Duration   `yaml:"access_token_life"`  // default 10m
	RefreshLife     time.Duration   `yaml:"refresh_token_life"` // default 720h
	CodeLife        time.Duration   `yaml:"code_life"`          // default 60s
	Resources       []Resource      `yaml:"resources"`          // beside the servers of this file
	Details         []DetailType    `yaml:"authorization_details"`
	Roles           map[string]Role `yaml:"roles"`     // absent: user, which everyone holds, and admin
	Providers       []Provider      `yaml:"providers"` // other OpenID Connect providers at which people sign in
}

// DetailType is one type of authorization details (RFC 9396) that clients may ask for.
type DetailType struct {
	Type        string   `yaml:"type"`
	Description string   `yaml:"description"` // words for the consent page
	Fields      []string `yaml:"fields"`      // members it may have beside type and locations
}

// ClientDocuments governs client ID metadata documents.
type ClientDocuments struct {
	Loopback bool     `yaml:"loopback"` // accept documents on http loopback: for development
	Hosts    []string `yaml:"hosts"`    // whose documents are accepted: names, or *.example.com for all below; absent: everybody's
}

// Resource is a protected resource that is not a server of this file.
type Resource struct {
	Resource string          `yaml:"resource"`
	Name     string          `yaml:"name"`
	About    string          `yaml:"description"` // what it is, in words for the people who are asked
	Scopes   []ResourceScope `yaml:"scopes"`
}

// ResourceScope is one scope of such a resource.
type ResourceScope struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Default     bool   `yaml:"default"`
	Risk        string `yaml:"risk"` // low, medium or high, for the consent page; absent: none is shown
}

// Lookup finds the value of ${NAME} references; os.LookupEnv is one.
type Lookup func(name string) (string, bool)

// Load reads, expands, checks and completes the file at path. Its error is
// strictyaml.Problems when the content is at fault.
func Load(path string, lookup Lookup) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w\nName it with -c FILE", err)
	}
	doc, err := strictyaml.Parse(path, src)
	if err != nil {
		return nil, err
	}
	if err := doc.Expand(lookup); err != nil {
		return nil, err
	}
	file := defaults()
	if err := doc.Decode(&file); err != nil {
		return nil, err
	}
	file.complete(filepath.Dir(path))
	if problems := file.validate(doc); len(problems) > 0 {
		return nil, problems
	}
	file.doc = doc
	return &file, nil
}

// At places an error that came up later at the key that led to it: file, line,
// column, and the key's name.
func (f *File) At(err error, key ...any) error {
	return strictyaml.Problems{f.doc.Problem(keyPath(key)+": "+err.Error(), key...)}
}

func defaults() File {
	return File{
		DPoPNonce: "required",
		Limits:    defaultLimits(),
	}
}

// complete fills what a list item or an optional block leaves out and makes paths absolute.
func (f *File) complete(folder string) {
	for i := range f.Issuers {
		f.Issuers[i].complete(folder)
	}
	for i := range f.Servers {
		f.Servers[i].complete(folder)
	}
	absolute(folder, &f.State.SecretFile)
	absolute(folder, &f.Audit.File)
	f.TLS.complete(folder)
	f.Limits.complete()
	if f.State.Redis != nil {
		absolute(folder, &f.State.Redis.URLFile)
	}
	if f.AuthServer != nil {
		f.AuthServer.complete(folder)
	}
}

func (a *AuthServer) complete(folder string) {
	a.Keys.complete()
	fill(&a.Profile, "mcp")
	fill(&a.ShortLived, InDatabase)
	absolute(folder, &a.AuthoritiesFile)
	fill(&a.Registration, "closed")
	fill(&a.SignUp, "closed")
	a.SecondFactor.complete()
	fill(&a.DPoPNonce, "required")
	fillDuration(&a.AccessTokenLife, 10*time.Minute)
	fillDuration(&a.RefreshLife, 30*24*time.Hour)
	fillDuration(&a.CodeLife, time.Minute)
	a.TLS.complete(folder)
	a.Limits.complete()
	absolute(folder, &a.SecretFile)
	absolute(folder, &a.PreviousFile)
	absolute(folder, &a.TokenFile)
	absolute(folder, &a.StepUpFile)
	for i := range a.Providers {
		a.Providers[i].complete(folder)
	}
	a.completeDatabase(folder)
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func fillDuration(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

func absolute(folder string, path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(folder, *path)
	}
}

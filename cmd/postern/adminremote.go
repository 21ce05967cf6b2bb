package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
)

// login is a sign-in of this command at one issuer: in a file that only its
// owner reads, because the key is in it.
type login struct {
	path   string
	Issuer string    `json:"issuer"`
	Key    []byte    `json:"key"` // the secret JWK that its tokens are bound to
	Access string    `json:"access_token"`
	Until  time.Time `json:"access_token_expires"`
	Renew  string    `json:"refresh_token"`
}

// remote calls the API of a running server.
func (o *office) remote(issuer string) (admin.Caller, error) {
	if err := checkIssuerURL(issuer); err != nil {
		return admin.Caller{}, err
	}
	c := admin.Caller{Base: issuer + admin.Prefix}
	if o.tokenFile != "" {
		token, err := readSecret(o.tokenFile)
		if err != nil {
			return c, usageError{fmt.Errorf("--token-file: %w", err)}
		}
		c.Via = bearer{token}
		return c, nil
	}
	l, err := o.readLogin(issuer)
	if err != nil {
		return c, err
	}
	c.Via, err = l.speaker()
	return c, err
}

// checkIssuerURL: tokens and the secret of a device go over TLS, or stay on
// this machine.
func checkIssuerURL(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || strings.HasSuffix(issuer, "/") || strings.ContainsAny(issuer, "?#") {
		return usageError{errors.New("--url must be the issuer, such as https://auth.example.com, without a slash at its end")}
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !clientdoc.IsLoopback(u.Hostname())) {
		return usageError{errors.New("--url must be https; http is for loopback hosts only")}
	}
	return nil
}

// loginPath is where the sign-in at an issuer is kept.
func (o *office) loginPath(issuer string) (string, error) {
	folder, _ := o.lookup("XDG_CONFIG_HOME")
	if home, ok := o.lookup("HOME"); folder == "" && ok && home != "" {
		folder = filepath.Join(home, ".config")
	}
	if folder == "" {
		return "", usageError{errors.New("there is no folder for the sign-in: set HOME or XDG_CONFIG_HOME, or say --token-file FILE")}
	}
	sum := sha256.Sum256([]byte(issuer))
	return filepath.Join(folder, "postern", "admin-"+hex.EncodeToString(sum[:6])+".json"), nil
}

func (o *office) readLogin(issuer string) (*login, error) {
	path, err := o.loginPath(issuer)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nobody signed in at %s here: postern admin login --url %s", issuer, issuer)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is readable by others, and has a key in it: chmod 600 %s, then sign in again", path, path)
	}
	l := &login{path: path}
	if err := json.Unmarshal(text, l); err != nil || l.Issuer != issuer {
		return nil, fmt.Errorf("%s is not a sign-in at %s: postern admin login --url %s", path, issuer, issuer)
	}
	return l, nil
}

func (l *login) write() error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return writeFile(l.path, text, 0o600)
}

// bearer sends a token as it is.
type bearer struct{ token string }

// Do sends the request once.
func (b bearer) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+b.token)
	return reach(r)
}

// reach sends a request directly.
func reach(r *http.Request) (*http.Response, error) {
	resp, err := httpDirect.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok && r.Context().Err() == nil {
		return nil, fmt.Errorf("%s://%s cannot be reached: %w", r.URL.Scheme, r.URL.Host, failed.Err)
	}
	return resp, err
}

// httpDirect follows no redirect: what is sent is for one server.
var httpDirect = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// speaker sends requests with proofs of one key.
type speaker struct {
	login *login
	key   jose.PrivateKey
	nonce string // the last one the server gave
}

func (l *login) speaker() (*speaker, error) {
	key, err := jose.ParsePrivateKey(l.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	return &speaker{login: l, key: key}, nil
}

// Do sends a request with the access token, which it renews when it is over.
func (s *speaker) Do(r *http.Request) (*http.Response, error) {
	if time.Until(s.login.Until) < 30*time.Second {
		if err := s.renew(r.Context()); err != nil {
			return nil, err
		}
	}
	r.Header.Set("Authorization", "DPoP "+s.login.Access)
	return s.send(r, s.login.Access)
}

// send proves the key, and again when the server wants a nonce in the proof.
func (s *speaker) send(r *http.Request, token string) (*http.Response, error) {
	for again := false; ; again = true {
		if err := s.prove(r, token); err != nil {
			return nil, err
		}
		resp, err := reach(r)
		if err != nil {
			return nil, err
		}
		nonce := resp.Header.Get("DPoP-Nonce")
		retry := nonce != "" && nonce != s.nonce && (resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized)
		s.nonce = nonce
		if again || !retry {
			return resp, nil
		}
		_ = resp.Body.Close() // the answer to the next one counts
		if r, err = afresh(r); err != nil {
			return nil, err
		}
	}
}

func afresh(r *http.Request) (*http.Request, error) {
	next := r.Clone(r.Context())
	if r.GetBody == nil {
		return next, nil
	}
	body, err := r.GetBody()
	next.Body = body
	return next, err
}

func (s *speaker) prove(r *http.Request, token string) error {
	at, err := dpop.ParseTarget(r.URL.String())
	if err != nil {
		return err
	}
	proof, err := dpop.Make(s.key, time.Now(), r.Method, at, token, s.nonce)
	if err != nil {
		return err
	}
	r.Header.Set("DPoP", proof)
	return nil
}

// granted is RFC 6749 §5.1, or the error of §5.2.
type granted struct {
	Access  string `json:"access_token"`
	Life    int64  `json:"expires_in"`
	Renew   string `json:"refresh_token"`
	Scope   string `json:"scope"`
	Failure string `json:"error"`
	Words   string `json:"error_description"`
}

// post sends a form to an endpoint of the issuer.
func (s *speaker) post(ctx context.Context, path string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.login.Issuer+path, bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.send(req, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s%s answered %s, and not as an issuer does", s.login.Issuer, path, resp.Status)
	}
	return nil
}

// renew gets the next access token, and keeps what comes with it.
func (s *speaker) renew(ctx context.Context) error {
	var g granted
	err := s.post(ctx, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {commandClient}, "refresh_token": {s.login.Renew}}, &g)
	if err != nil {
		return err
	}
	if g.Failure != "" {
		return fmt.Errorf("the sign-in at %s is over (%s): postern admin login --url %s", s.login.Issuer, g.Failure, s.login.Issuer)
	}
	return s.keep(g)
}

func (s *speaker) keep(g granted) error {
	s.login.Access, s.login.Until = g.Access, time.Now().Add(time.Duration(g.Life)*time.Second)
	if g.Renew != "" {
		s.login.Renew = g.Renew
	}
	return s.login.write()
}

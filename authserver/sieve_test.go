package authserver

import (
	"bytes"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// sieve collects what is secret on the wire of a test, both ways, to look for it
// in what is written down. Every test with a rig has one.
type sieve struct {
	mu      sync.Mutex
	secrets map[string]string // what it is, by value
}

// secretNames are parameters, members and fields of forms whose values are secret.
var secretNames = strings.Fields(`password new_password current_password again code code_verifier refresh_token access_token id_token token
	client_secret client_assertion device_code user_code ticket request entry errand id_token_hint registration_access_token
	request_uri recovery_code link`)

var (
	hiddenInputs = regexp.MustCompile(`name="(request|entry|ticket|errand|form)" value="([^"]+)"`)
	jsonMembers  = regexp.MustCompile(`"(` + strings.Join(secretNames, "|") + `)"\s*:\s*"((?:[^"\\]|\\.)+)"`)
)

// shortest: shorter ones stand in other words by accident.
const shortest = 12

func (v *sieve) add(what, value string) {
	if len(value) < shortest {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.secrets == nil {
		v.secrets = map[string]string{}
	}
	v.secrets[value] = what
}

func (v *sieve) form(values url.Values) {
	for _, name := range secretNames {
		for _, value := range values[name] {
			v.add(name, value)
		}
	}
}

func (v *sieve) header(h http.Header) {
	for _, value := range h.Values("Authorization") {
		_, credential, _ := strings.Cut(value, " ")
		v.add("Authorization", credential)
		if plain, err := base64.StdEncoding.DecodeString(credential); err == nil {
			_, secret, _ := strings.Cut(string(plain), ":")
			v.add("client secret", secret)
		}
	}
	for _, value := range h.Values("DPoP") {
		v.add("proof", value)
	}
	for _, c := range (&http.Response{Header: h}).Cookies() {
		v.add("cookie", c.Value)
	}
	if to, err := url.Parse(h.Get("Location")); err == nil {
		v.form(to.Query())
	}
}

func (v *sieve) body(text string) {
	if values, err := url.ParseQuery(text); err == nil {
		v.form(values)
	}
	for _, m := range jsonMembers.FindAllStringSubmatch(text, -1) {
		v.add(m[1], m[2])
	}
	for _, m := range hiddenInputs.FindAllStringSubmatch(text, -1) {
		v.add(m[1], html.UnescapeString(m[2]))
	}
}

// overheard is a body being read, and what was read of it.
type overheard struct {
	io.Reader
	io.Closer
}

// echo is an answer, and what it says.
type echo struct {
	http.ResponseWriter
	said bytes.Buffer
}

func (e *echo) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *echo) Write(p []byte) (int, error) {
	e.said.Write(p)
	return e.ResponseWriter.Write(p)
}

func (v *sieve) around(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		r.Body = overheard{io.TeeReader(r.Body, &sent), r.Body}
		answer := &echo{ResponseWriter: w}
		h(answer, r)
		v.header(r.Header)
		v.form(r.URL.Query())
		v.body(sent.String())
		v.header(w.Header())
		v.body(answer.said.String())
	})
}

// recorded is the part of an audit line that all have.
type recorded struct {
	Event    string `json:"event"`
	Decision string `json:"decision"`
	Time     string `json:"time"`
	Issuer   string `json:"issuer"`
}

// check: no secret is written down anywhere, and every line of the trail is one
// strict JSON object of the closed list.
func (v *sieve) check(t *testing.T, log, lines string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for secret, what := range v.secrets {
		for where, text := range map[string]string{"log": log, "audit lines": lines} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s hold a secret, %s: %q", where, what, secret)
			}
		}
	}
	for text := range strings.Lines(lines) {
		var line recorded
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("%v in the line %s", err, text)
			continue
		}
		if line.Decision == "audit_resumed" && line.Event == "" {
			continue
		}
		if _, listed := happenings[event(line.Event)]; !listed || line.Time == "" || line.Issuer == "" || line.Decision == "" {
			t.Errorf("not a line of the list: %s", text)
		}
		happened.Store(line.Event, true)
	}
}

// happened are the events that tests of this run have seen on record.
var happened sync.Map

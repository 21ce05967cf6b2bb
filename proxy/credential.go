package proxy

import (
	"net/http"
	"strings"
)

// scheme of an Authorization header.
type scheme int

const (
	noScheme scheme = iota
	bearerScheme
	dpopScheme
)

// presented is a credential as the caller sent it: nothing in it is proven.
type presented struct {
	visit  visit
	scheme scheme
	token  string
	proofs []string // every DPoP header
}

// readCredential takes the token from exactly one Authorization header.
func readCredential(v visit, h http.Header) (presented, error) {
	values := h["Authorization"]
	fail := func(why reason) (presented, error) {
		return presented{}, placed(refused(stageCredential, why, nil), v)
	}
	if len(values) == 0 {
		return fail(reasonNoCredential)
	}
	if len(values) > 1 { // P15; RFC 6750 §2 forbids more than one
		return fail(reasonTwoCredentials)
	}
	name, token, ok := strings.Cut(values[0], " ")
	p := presented{visit: v, scheme: schemeOf(name), token: token, proofs: h["Dpop"]}
	if p.scheme == noScheme {
		return fail(reasonNoCredential)
	}
	if !ok || !token68(token) {
		return fail(reasonCredentialForm)
	}
	return p, nil
}

// schemeOf: scheme names are case-insensitive (RFC 9110 §11.1).
func schemeOf(name string) scheme {
	switch {
	case strings.EqualFold(name, "Bearer"):
		return bearerScheme
	case strings.EqualFold(name, "DPoP"):
		return dpopScheme
	}
	return noScheme
}

// token68 is the syntax of RFC 9110 §11.2.
func token68(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" {
		return false
	}
	for i := range len(body) {
		c := body[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return true
}

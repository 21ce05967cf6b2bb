package upstream

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/legible"
)

// Identity is who a provider says somebody is. Issuer and Subject together
// name the person; everything else may change.
type Identity struct {
	Issuer        string
	Subject       string
	Email         string // one address, or ""
	EmailVerified bool   // the provider says that it is the person's
	Name          string
	ACR           string    // in the provider's words, or ""
	AMR           []string  // RFC 8176, as the provider says
	AuthTime      time.Time // when the person proved it; zero when the provider does not say
	Claims        Claims
}

func (p *Provider) identity(c Claims) Identity {
	email := Address(c.text("email"))
	return Identity{
		Issuer: p.conf.Issuer, Subject: c.text("sub"),
		Email: email, EmailVerified: email != "" && c.yes("email_verified"), Name: printable(c.text("name")),
		ACR: c.text("acr"), AMR: c.words("amr"), AuthTime: c.date("auth_time"), Claims: c,
	}
}

const (
	maxAddress = 254 // RFC 5321 §4.5.3.1.3, without its brackets
	maxName    = 200
)

// Address is an e-mail address in the form to compare it in, with ASCII
// letters in lower case; "" for what has not exactly one @, or is no plain
// address in another way.
func Address(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > maxAddress || !utf8.ValidString(s) {
		return ""
	}
	for _, r := range s {
		if r == ' ' || !legible.Shows(r) || strings.ContainsRune(`"(),:;<>[\]`, r) {
			return ""
		}
	}
	if strings.Contains(domain, "@") {
		return ""
	}
	return lowerASCII(s)
}

// lowerASCII leaves other letters alone: folding them makes two addresses one.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// printable is a name to show, without what cannot be seen.
func printable(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !legible.Shows(r) {
			return -1
		}
		return r
	}, s))
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// Claims is what a provider says of a person.
type Claims map[string]jsontext.Value

// Has says whether the claim is value, or a list with value in it. Where no
// claim has that name, dots lead into objects: realm_access.roles.
func (c Claims) Has(claim, value string) bool {
	for _, word := range c.at(claim) {
		if word == value {
			return true
		}
	}
	return false
}

func (c Claims) at(path string) []string {
	if c.has(path) {
		return c.words(path)
	}
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil
	}
	var inner Claims
	if json.Unmarshal(c[first], &inner) != nil {
		return nil
	}
	return inner.at(rest)
}

func (c Claims) has(name string) bool {
	_, ok := c[name]
	return ok
}

// text is a claim that is a string, "" for any other.
func (c Claims) text(name string) string {
	var t jose.Text
	if json.Unmarshal(c[name], &t) != nil {
		return ""
	}
	return string(t)
}

// words is a claim that is a string or a list of strings; nil for any other.
func (c Claims) words(name string) []string {
	if one := c.text(name); one != "" {
		return []string{one}
	}
	var list []jose.Text
	if json.Unmarshal(c[name], &list) != nil {
		return nil
	}
	words := make([]string, len(list))
	for i, t := range list {
		words[i] = string(t)
	}
	return words
}

// date is a claim that is a NumericDate, zero for any other.
func (c Claims) date(name string) time.Time {
	var d jose.NumericDate
	if json.Unmarshal(c[name], &d) != nil {
		return time.Time{}
	}
	return d.Time
}

// yes is a claim that is true, and not the word (OpenID Connect Core §5.1).
func (c Claims) yes(name string) bool {
	return string(c[name]) == "true"
}

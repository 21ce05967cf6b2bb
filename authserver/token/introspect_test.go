package token

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// unreadable stands for ErrAnswer in tables of reasons.
const unreadable Reason = "unreadable"

func answerReason(err error) Reason {
	if errors.Is(err, ErrAnswer) {
		return unreadable
	}
	return reason(err)
}

// live is a sound answer about an opaque token, with members replaced or added.
func live(members ...string) string {
	return strings.Replace(with(members...), "{", `{"active":true,`, 1)
}

// less takes a member out of an answer.
func less(answer, name string) string {
	members := strings.Split(strings.TrimSuffix(strings.TrimPrefix(answer, "{"), "}"), ",")
	members = slices.DeleteFunc(members, func(m string) bool { return strings.HasPrefix(m, `"`+name+`":`) })
	return "{" + strings.Join(members, ",") + "}"
}

func TestFromIntrospection(t *testing.T) {
	const ok Reason = "<nil>"
	bound := `"cnf":{"jkt":"` + jkt + `"}`
	certificate := `"cnf":{"x5t#S256":"` + jkt + `"}`
	for _, row := range []struct {
		name, answer string
		want         Reason
	}{
		{"everything", live(), ok},
		{"inactive", `{"active":false}`, Inactive},
		{"inactive, all else right", strings.Replace(live(), "true", "false", 1), Inactive},
		{"active missing", less(live(), "active"), unreadable},
		{"active as text", strings.Replace(live(), "true", `"true"`, 1), unreadable},
		{"active as a number", strings.Replace(live(), "true", `1`, 1), unreadable},
		{"active null", strings.Replace(live(), "true", `null`, 1), unreadable},
		{"active twice", strings.Replace(live(), "{", `{"active":true,`, 1), unreadable},
		{"active in capitals", strings.Replace(live(), "active", "Active", 1), unreadable},
		{"nothing", "", unreadable},
		{"empty object", "{}", unreadable},
		{"null", "null", unreadable},
		{"array", "[" + live() + "]", unreadable},
		{"page of a login", "<html>", unreadable},
		{"trailing data", live() + "{}", unreadable},
		{"sub twice", strings.Replace(live(), "{", `{"sub":"root",`, 1), unreadable},
		{"sub number", live(`"sub":1`), unreadable},
		{"exp text", live(`"exp":"1800000300"`), unreadable},
		{"scope with a quote", live(`"scope":"a\"b"`), unreadable},
		{"no iss", less(live(), "iss"), ok},
		{"another issuer", live(`"iss":"https://other.example"`), WrongIssuer},
		{"no aud", less(live(), "aud"), MissingClaim},
		{"aud empty", live(`"aud":[]`), MissingClaim},
		{"another resource", live(`"aud":"https://other.example"`), WrongTarget},
		{"among others", live(`"aud":["https://other.example","` + resource + `"]`), ok},
		{"no exp", less(live(), "exp"), MissingClaim},
		{"expired", live(`"exp":1800000000`), Expired},
		{"not yet", live(`"nbf":1800000001`), NotYetValid},
		{"no sub", less(live(), "sub"), ok},
		{"neither sub nor client_id", less(less(live(), "sub"), "client_id"), MissingClaim},
		{"Bearer", live(`"token_type":"bearer"`), ok},
		{"DPoP, bound", live(`"token_type":"DPoP"`, bound), ok},
		{"DPoP, not bound", live(`"token_type":"DPoP"`), BadBinding},
		{"DPoP, bound to a certificate", live(`"token_type":"DPoP"`, certificate), BadBinding},
		{"Bearer, bound to a key", live(`"token_type":"Bearer"`, bound), BadBinding},
		{"Bearer, bound to a certificate", live(`"token_type":"Bearer"`, certificate), ok},
		{"bound, no token_type", live(bound), ok},
		{"some other token_type", live(`"token_type":"mac"`), BadBinding},
		{"token_type null", live(`"token_type":null`), unreadable},
		{"cnf empty", live(`"cnf":{}`), BadBinding},
		{"typ of Keycloak", live(`"typ":"Bearer"`), ok},
		{"a refresh token", live(`"typ":"Refresh"`), WrongType},
		{"an ID token", live(`"typ":"ID"`), WrongType},
	} {
		access, err := FromIntrospection(now, rules(t, RFC9068, 0), []byte(row.answer))
		if answerReason(err) != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
		if err != nil && !reflect.ValueOf(access).IsZero() {
			t.Errorf("%s: a token beside an error", row.name)
		}
	}
	if _, err := FromIntrospection(now, Rules{}, []byte(live())); reason(err) != WrongIssuer {
		t.Errorf("zero rules: %v", err)
	}
}

func TestIntrospectedClaims(t *testing.T) {
	r := rules(t, RFC9068, 0)
	access, err := FromIntrospection(now, r, []byte(less(less(live(`"scope":"a b"`, `"cnf":{"jkt":"`+jkt+`"}`), "iss"), "sub")))
	want := Claims{
		Issuer: issuer, Subject: "c1", ClientID: "c1", ID: "j1", Audience: []string{resource}, Scope: []string{"a", "b"},
		IssuedAt: time.Unix(1799999990, 0), Expiry: time.Unix(1800000300, 0), Thumbprint: jkt,
	}
	if err != nil || !reflect.DeepEqual(access.Claims(), want) {
		t.Errorf("%+v, %v\nwant %+v", access.Claims(), err, want)
	}
}

func TestConfirm(t *testing.T) {
	const ok Reason = "<nil>"
	other := strings.Repeat("A", 43)
	key := newKey(t, jose.ES256)
	signed := with(`"scope":"a b"`, `"cnf":{"jkt":"`+jkt+`"}`)
	access, err := verify(sign(t, key, "at+jwt", signed), rules(t, RFC9068, 0), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, answer string
		want         Reason
		change       func(*Claims)
	}{
		{"nothing but active", `{"active":true}`, ok, func(*Claims) {}},
		{"inactive", `{"active":false}`, Inactive, nil},
		{"not an answer", `{}`, unreadable, nil},
		{"less scope", `{"active":true,"scope":"b c"}`, ok, func(c *Claims) { c.Scope = []string{"b"} }},
		{"no scope left", `{"active":true,"scope":""}`, ok, func(c *Claims) { c.Scope = nil }},
		{"more scope", `{"active":true,"scope":"a b c"}`, ok, func(*Claims) {}},
		{"ends earlier", `{"active":true,"exp":1800000100}`, ok, func(c *Claims) { c.Expiry = time.Unix(1800000100, 0) }},
		{"ends later", `{"active":true,"exp":1800009999}`, ok, func(*Claims) {}},
		{"has ended", `{"active":true,"exp":1800000000}`, Expired, nil},
		{"for another resource", `{"active":true,"aud":"https://other.example"}`, WrongTarget, nil},
		{"for nobody", `{"active":true,"aud":[]}`, MissingClaim, nil},
		{"of another issuer", `{"active":true,"iss":"https://other.example"}`, WrongIssuer, nil},
		{"about a pairwise subject", `{"active":true,"sub":"x"}`, ok, func(*Claims) {}},
		{"the same key", `{"active":true,"token_type":"DPoP","cnf":{"jkt":"` + jkt + `"}}`, ok, func(*Claims) {}},
		{"another key", `{"active":true,"cnf":{"jkt":"` + other + `"}}`, BadBinding, nil},
		{"a certificate besides", `{"active":true,"cnf":{"x5t#S256":"` + other + `"}}`, ok, func(c *Claims) { c.Certificate = other }},
	} {
		got, err := access.Confirm(now, rules(t, RFC9068, 0), []byte(row.answer))
		if answerReason(err) != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
		want := Claims{}
		if row.change != nil {
			want = access.Claims()
			row.change(&want)
		}
		if !reflect.DeepEqual(got.Claims(), want) {
			t.Errorf("%s: %+v\nwant %+v", row.name, got.Claims(), want)
		}
	}
}

// No answer without active: true and this resource's name makes a token.
func FuzzFromIntrospection(f *testing.F) {
	f.Add(live())
	f.Add(`{"active":false}`)
	f.Add(live(`"cnf":{"jkt":"`+jkt+`"}`, `"token_type":"DPoP"`))
	r := rules(f, RFC9068, 0)
	f.Fuzz(func(t *testing.T, doc string) {
		access, err := FromIntrospection(now, r, []byte(doc))
		if err != nil {
			if !reflect.ValueOf(access).IsZero() {
				t.Errorf("a token beside %v", err)
			}
			return
		}
		c := access.Claims()
		here := slices.Contains(c.Audience, resource) || slices.Contains(c.Audience, "http://127.0.0.1:8080/mcp")
		if !strings.Contains(doc, "true") || !here || c.Issuer != issuer || c.Subject == "" || !c.Expiry.After(now) {
			t.Errorf("%q became %+v", doc, c)
		}
	})
}

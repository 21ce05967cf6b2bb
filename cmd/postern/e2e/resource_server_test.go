package e2e

import (
	"net/http"
	"net/url"
	"testing"
)

// foreignCall is what a resource server that is not ours gets.
type foreignCall struct {
	Name   string            `json:"name"`
	Scheme string            `json:"scheme"`
	Token  string            `json:"token"`
	Proof  string            `json:"proof"`
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Self   map[string]string `json:"self"` // what that server is, where it differs
}

// bound is an access token for the key of a proof.
func (o *office) bound(t *testing.T, key signer) string {
	t.Helper()
	form, endpoint := url.Values{"grant_type": {"client_credentials"}, "resource": {o.resource}}, o.issuer+"/token"
	send := func(nonce string) reply {
		return newWindow(t).submit(t, endpoint, form, "Authorization", basicAuth(o.client), "DPoP", key.tokenProof(endpoint, nonce))
	}
	return send(send("").header.Get("DPoP-Nonce")).expect(t, http.StatusOK).told(t).Access
}

// TestForeignResourceServer: one that has nothing of ours and does all that
// the RFCs ask takes what the issuer signs, in every algorithm, and what is
// not meant for it, it can tell.
func TestForeignResourceServer(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			o := keyOffice(t, 1, aFile, "  keys: {algorithm: "+alg+"}\n")
			judgeForeign(t, o, alg)
		})
	}
}

func judgeForeign(t *testing.T, o *office, alg string) {
	t.Helper()
	key, thief := newSigner(t), newSigner(t)
	plain, bound, other := o.token(t), o.bound(t, key), o.bound(t, key)
	list := newWindow(t).get(t, o.issuer+"/status/0").expect(t, http.StatusOK).body
	proof := key.proof(http.MethodPost, o.resource, bound, "")
	dpop := func(token, proof string) foreignCall {
		return foreignCall{Scheme: "DPoP", Token: token, Proof: proof, Method: http.MethodPost, URL: o.resource}
	}
	bearer := func(token string) foreignCall { return foreignCall{Scheme: "Bearer", Token: token} }
	elsewhere := func(name, value string) foreignCall {
		return foreignCall{Scheme: "Bearer", Token: plain, Self: map[string]string{name: value}}
	}
	rows := []struct {
		name    string
		call    foreignCall
		refused string // what jose or the server names, "" when the call is good
	}{
		{"bearer", bearer(plain), ""},
		{"bound", dpop(bound, proof), ""},
		{"once more", dpop(bound, proof), "replay"},
		{"bound, as bearer", bearer(bound), "bound"},
		{"bearer, with a proof", dpop(plain, key.proof(http.MethodPost, o.resource, plain, "")), "not bound"},
		{"another's key", dpop(bound, thief.proof(http.MethodPost, o.resource, bound, "")), "jkt"},
		{"another token's proof", dpop(bound, key.proof(http.MethodPost, o.resource, other, "")), "ath"},
		{"another method's proof", dpop(bound, key.proof(http.MethodGet, o.resource, bound, "")), "htm"},
		{"another address's proof", dpop(bound, key.proof(http.MethodPost, o.issuer, bound, "")), "htu"},
		{"at another server", elsewhere("audience", o.resource+"/"), "aud"},
		{"of another issuer", elsewhere("issuer", o.issuer+"/"), "iss"},
		{"under another algorithm", elsewhere("algorithm", "ES384"), "ERR_JOSE_ALG_NOT_ALLOWED"},
		{"a status list for a token", bearer(list), "typ"},
		{"spoiled", bearer(plain[:len(plain)-8] + "AAAAAAAA"), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"},
	}
	calls := make([]foreignCall, len(rows))
	for i, row := range rows {
		calls[i] = row.call
		calls[i].Name = row.name
	}
	var found struct {
		Judged map[string]struct {
			Subject   string `json:"subject"`
			Algorithm string `json:"algorithm"`
			Refused   string `json:"refused"`
		} `json:"judged"`
	}
	ask(t, "resource-server.mjs", map[string]any{"issuer": o.issuer, "audience": o.resource, "algorithm": alg, "calls": calls}, &found)
	for _, row := range rows {
		got, ok := found.Judged[row.name]
		if !ok || got.Refused != row.refused {
			t.Errorf("%s: %+v, want refused for %q", row.name, got, row.refused)
		}
		if row.refused == "" && (got.Subject != o.client.ID || got.Algorithm != alg) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

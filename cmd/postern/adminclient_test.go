package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const aKey = `{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

func TestOperatorsRegisterClients(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("secret", strings.Repeat("s", 32))
	config := file("postern.yaml", `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:8090
  database: sqlite:authserver.db
  secret_file: secret
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
`)
	machine := func(members string) string {
		return `{"client_name":"robot","grant_types":["client_credentials"],"scope":"use"` + members + `}`
	}
	keys := `{"keys":[` + aKey + `]}`
	for _, row := range []struct {
		name, metadata string
		code           int
		says, secret   string
	}{
		{"a machine with keys", machine(`,"token_endpoint_auth_method":"private_key_jwt","jwks":` + keys), exitFine, "client_id client_", ""},
		{"a machine with a secret", machine(""), exitFine, "client_id client_", "client_secret pcs_"},
		{"a client of people", `{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`, exitFine, "client_id client_", ""},
		{"a machine with nothing", machine(`,"token_endpoint_auth_method":"none"`), 1, "token_endpoint_auth_method must not be none", ""},
		{"a machine without a scope", strings.Replace(machine(""), `"scope":"use"`, `"scope":""`, 1), 1, "scope is required", ""},
		{"an unknown scope", strings.Replace(machine(""), `"use"`, `"fly"`, 1), 1, "fly", ""},
		{"no keys", machine(`,"token_endpoint_auth_method":"private_key_jwt"`), 1, "private_key_jwt needs jwks or jwks_uri", ""},
		{"a private key", machine(`,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","d":"x"}]}`), 1, "public keys only", ""},
		{"a certificate that nobody could show", machine(`,"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_dns":"a"`), 1, "must be one of client_secret_basic, none, client_secret_post, private_key_jwt", ""},
		{"no JSON", "x", 1, "must be one JSON object", ""},
	} {
		code, out, errs := runIn(t, "admin", "-c", config, "client", "register", file("client.json", row.metadata))
		if (code == exitFine) != (row.code == exitFine) || !strings.Contains(out+errs, row.says) || strings.Contains(out, "client_secret") != (row.secret != "") || !strings.Contains(out, row.secret) {
			t.Errorf("%s: exit %d\n%s%s", row.name, code, out, errs)
		}
	}
	if code, _, errs := runIn(t, "admin", "-c", config, "client", "register", filepath.Join(folder, "absent")); code != exitUsage || !strings.Contains(errs, "absent") {
		t.Errorf("no file: exit %d\n%s", code, errs)
	}
	server := func(jwks string) (int, string, string) {
		return runIn(t, "admin", "-c", config, "resource-server", "create", "checker", "--resource", "http://127.0.0.1:8080/mcp", "--jwks", jwks)
	}
	if code, out, errs := server(file("keys.json", keys)); code != exitFine || !strings.HasPrefix(out, "client_id client_") || strings.Contains(out, "secret") {
		t.Errorf("a resource server with keys: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := server(file("bad.json", `{"keys":[]}`)); code == exitFine || !strings.Contains(errs, "no key that can be used") {
		t.Errorf("without any: exit %d\n%s", code, errs)
	}
}

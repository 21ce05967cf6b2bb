package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shippedCredential = `credential: {type: header, header: Authorization, prefix: "Bearer ", file: secrets/upstream}`

// checkWith runs `postern check` on the example with other lines for the first
// server's credential.
func checkWith(t *testing.T, upstream, lines string) (int, string) {
	t.Helper()
	folder := t.TempDir()
	if err := copyExample(folder); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "postern.yaml")
	shipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(shipped), shippedCredential, lines, 1)
	if text == string(shipped) {
		t.Fatal("the example holds another credential")
	}
	if upstream != "" {
		text = strings.Replace(text, "http://127.0.0.1:${POSTERN_CALCULATOR_PORT:-8101}/mcp", upstream, 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runIn(t, "check", "--without-files", "-c", path)
	return code, errs
}

func TestCredentialsOfEveryTypeLoad(t *testing.T) {
	for name, lines := range map[string]string{
		"none":            `credential: {type: none}`,
		"header":          `credential: {type: header, file: x}`,
		"by secret":       `credential: {type: client_credentials, issuer: https://issuer.example, client_id: me, secret_file: x}`,
		"by key":          `credential: {type: client_credentials, issuer: https://issuer.example, client_id: me, key_file: x, key_id: k, algorithm: PS256, dpop: required}`,
		"at an endpoint":  `credential: {type: client_credentials, token_url: http://127.0.0.1:1/token, client_id: me, secret_file: x, dpop: off}`,
		"for an endpoint": `credential: {type: client_credentials, token_url: https://i.example/token, assertion_audience: https://i.example/token, client_id: me, key_file: x}`,
		"exchange":        `credential: {type: token_exchange, issuer: https://issuer.example, client_id: me, secret_file: x, audience: mcp, resource: https://mcp.internal, scope: [a, b]}`,
		"certificate":     "credential: {type: mtls}\n    tls: {ca_file: ca, cert_file: c, key_file: k, server_name: inner}",
		"both":            "credential: {type: header, file: x}\n    tls: {cert_file: c, key_file: k}",
		"identity":        "credential: {type: none}\n    identity: {audience: calculator}",
		"identity there":  "credential: {type: header, file: x}\n    identity: {audience: calculator, header: X-Who}",
	} {
		if code, errs := checkWith(t, "https://127.0.0.1:8101/mcp", lines); code != exitFine {
			t.Errorf("%s: exit %d\n%s", name, code, errs)
		}
	}
}

// Each mistake is reported with its place and the fix.
func TestMistakesInCredentials(t *testing.T) {
	const at = "servers[0].credential"
	for _, row := range []struct{ name, lines, want string }{
		{"no type", `credential: {file: x}`, "17:17: " + at + ": missing: say {type: none}"},
		{"an unknown type", `credential: {type: magic}`, "17:24: " + at + ".type: must be one of: none, header, client_credentials, token_exchange, mtls"},
		{"a key of another type", `credential: {type: none, file: x}`, "17:36: " + at + ".file: type none does not take this key"},
		{"a secret for mtls", "credential: {type: mtls, secret_file: x}\n    tls: {cert_file: c, key_file: k}", at + ".secret_file: type mtls does not take this key"},
		{"a prefix for tokens", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, prefix: y}`, at + ".prefix: type client_credentials does not take this key"},
		{"no issuer", `credential: {type: client_credentials, client_id: me, secret_file: x}`, at + ".issuer: missing"},
		{"a plain issuer", `credential: {type: token_exchange, issuer: http://i.example, client_id: me, secret_file: x}`, at + ".issuer: must be https"},
		{"a plain endpoint", `credential: {type: token_exchange, token_url: http://i.example/token, client_id: me, secret_file: x}`, at + ".token_url: must be https"},
		{"no client", `credential: {type: client_credentials, issuer: https://i.example, secret_file: x}`, at + ".client_id: missing"},
		{"no proof of the client", `credential: {type: client_credentials, issuer: https://i.example, client_id: me}`, "exactly one of secret_file and key_file"},
		{"two proofs of the client", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, key_file: y}`, "exactly one of secret_file and key_file"},
		{"a key without an issuer", `credential: {type: client_credentials, token_url: https://i.example/token, client_id: me, key_file: x}`, at + ".issuer: missing: with key_file"},
		{"a key id without a key", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, key_id: k}`, at + ".key_id: goes with key_file"},
		{"an audience without a key", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, assertion_audience: a}`, at + ".assertion_audience: goes with key_file"},
		{"another mode of DPoP", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, dpop: accepted}`, at + ".dpop: must be one of: required, auto, off"},
		{"another algorithm", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, key_file: x, algorithm: HS256}`, at + ".algorithm: must be one of: RS256, PS256"},
		{"two scopes in one", `credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x, scope: ["a b"]}`, at + ".scope[0]: must be one scope"},
		{"mtls without a certificate", `credential: {type: mtls}`, at + ".type: mtls needs the certificate"},
		{"none with a certificate", "credential: {type: none}\n    tls: {cert_file: c, key_file: k}", at + ".type: the certificate is a credential: say mtls"},
		{"half a pair", "credential: {type: none}\n    tls: {cert_file: c}", "servers[0].tls: cert_file and key_file go together"},
		{"identity for nobody", "credential: {type: none}\n    identity: {}", "servers[0].identity"},
		{"identity without audience", "credential: {type: none}\n    identity: {header: X-Who}", "servers[0].identity.audience: missing"},
		{"identity in the credential's place", "credential: {type: header, header: x-who, file: x}\n    identity: {audience: a, header: X-Who}", "servers[0].identity.header: holds the credential already"},
		{"identity in the token's place", "credential: {type: client_credentials, issuer: https://i.example, client_id: me, secret_file: x}\n    identity: {audience: a, header: authorization}", "servers[0].identity.header: holds the credential already"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if code, errs := checkWith(t, "https://127.0.0.1:8101/mcp", row.lines); code != exitUsage || !strings.Contains(errs, row.want) {
				t.Errorf("exit %d, want %q in:\n%s", code, row.want, errs)
			}
		})
	}
	if code, errs := checkWith(t, "", "credential: {type: none}\n    stdio: {command: [cat]}\n    identity: {audience: a}"); code != exitUsage || !strings.Contains(errs, "servers[0].identity: a program on stdin hears no headers") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if code, errs := checkWith(t, "", "credential: {type: none}\n    tls: {ca_file: x}"); code != exitUsage || !strings.Contains(errs, "servers[0].tls: is for https upstreams") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

// What only the files can tell is told at the start, at the key it belongs to.
func TestUnusableCredentialsDoNotStart(t *testing.T) {
	for name, row := range map[string]struct{ lines, want string }{
		"absent":          {`credential: {type: header, file: absent}`, `servers[0].credential: `},
		"no header":       {`credential: {type: header, header: Host, file: secrets/upstream}`, `the header Host is not for credentials`},
		"not a key":       {`credential: {type: client_credentials, issuer: https://i.example, client_id: me, key_file: postern.yaml}`, "no PEM block"},
		"no certificates": {"credential: {type: none}\n    tls: {ca_file: postern.yaml}", `servers[0]: tls: `},
		"identity":        {"credential: {type: none}\n    identity: {audience: a, header: X_Who}", `servers[0].credential: identity: `},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := copyExample(folder); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, "postern.yaml")
			shipped, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(shipped), shippedCredential, row.lines, 1)
			text = strings.Replace(text, "http://127.0.0.1:${POSTERN_CALCULATOR_PORT:-8101}", "https://127.0.0.1:1", 1)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(folder, "secrets"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"proxy", "authserver", "upstream", "step_up"} {
				if err := os.WriteFile(filepath.Join(folder, "secrets", secret), []byte(strings.Repeat("x", 40)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, errs := runIn(t, "proxy", "-c", path)
			if code != exitUsage || !strings.Contains(errs, row.want) {
				t.Errorf("exit %d, want %q in:\n%s", code, row.want, errs)
			}
		})
	}
}

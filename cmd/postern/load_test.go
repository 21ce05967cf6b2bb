package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/config"
)

// runIn runs the program in-process and returns its exit code and output.
func runIn(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, lookup: func(string) (string, bool) { return "", false }}
	code = p.run(context.Background(), args)
	return code, out.String(), errs.String()
}

func TestShippedConfigurationsLoad(t *testing.T) {
	for _, path := range []string{"../../config/example/postern.yaml"} {
		code, out, errs := runIn(t, "check", "--without-files", "-c", path)
		if code != exitFine || strings.Count(out, ": fine") != 3 {
			t.Errorf("%s: exit %d\n%s%s", path, code, out, errs)
		}
	}
}

// The authorization server hears from the policies which scopes come with which.
func TestScopesThatComeWithOthersAreHandedOn(t *testing.T) {
	s, err := load("../../config/example/postern.yaml", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range s.resources() {
		for _, scope := range r.Scopes {
			for _, implied := range scope.Implies {
				got += scope.Name + " brings " + implied + "\n"
			}
		}
	}
	if got != "db:write brings db:read\n" {
		t.Errorf("got %s", got)
	}
}

func TestDescriptionsOfServersAreHandedOn(t *testing.T) {
	s, err := load("../../config/example/postern.yaml", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	s.file.AuthServer.Resources = []config.Resource{{Resource: "https://a.example", About: "Another one"}}
	got := s.resources()
	if len(got) != 3 || got[0].About != "Sums, powers and whole expressions" || got[1].About != "Customers, products and orders of a sample shop" || got[2].About != "Another one" {
		t.Errorf("got %+v", got)
	}
}

// Each mistake is reported with its place and the fix.
func TestMistakesInTheConfiguration(t *testing.T) {
	good, err := os.ReadFile("../../config/example/postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, old, new, want string }{
		{"misspelt key", "public_url:", "public_urls:", `postern.yaml:6:1: `},
		{"misspelt key suggests", "public_url:", "public_urls:", `public_url"`},
		{"twice", "listen: 127.0.0.1:${POSTERN_PROXY_PORT:-8080}", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", `postern.yaml:6:1: `},
		{"plain http off loopback", "public_url: http://127.0.0.1:${POSTERN_PROXY_PORT:-8080}", "public_url: http://mcp.example.com", "6:13: public_url: must be https; http is for loopback hosts only"},
		{"bad mode", "dpop: accepted", "dpop: maybe", "10:11: issuers[0].dpop: must be one of: required, accepted, off"},
		{"introspection by nobody", "dpop: accepted", "dpop: accepted\n    introspection: {secret_file: s}", "11:20: issuers[0].introspection.client_id: missing"},
		{"introspection without a secret", "dpop: accepted", "dpop: accepted\n    introspection: {client_id: c}", "issuers[0].introspection.secret_file: missing"},
		{"introspection in plain", "dpop: accepted", "dpop: accepted\n    introspection: {client_id: c, secret_file: s, url: 'http://desk.example/'}", "11:56: issuers[0].introspection.url: must be https"},
		{"introspection of some", "dpop: accepted", "dpop: accepted\n    introspection: {client_id: c, secret_file: s, tokens: some}", "issuers[0].introspection.tokens: must be one of: opaque, all"},
		{"answers for an hour", "dpop: accepted", "dpop: accepted\n    introspection: {client_id: c, secret_file: s, cache: 1h}", "issuers[0].introspection.cache: must lie between 1s and 1m0s"},
		{"an odd way to hear of revocations", "dpop: accepted", "dpop: accepted\n    revocations: crl", "11:18: issuers[0].revocations: must be one of: status_list, redis, none"},
		{"revocations by a Redis that is not there", "dpop: accepted", "dpop: accepted\n    revocations: redis", "11:18: issuers[0].revocations: redis needs state.redis"},
		{"bad upstream", "upstream: http://127.0.0.1:${POSTERN_CALCULATOR_PORT:-8101}/mcp", "upstream: 127.0.0.1:8101", "16:15: servers[0].upstream: must be the http or https URL"},
		{"no credential", `credential: {type: header, header: Authorization, prefix: "Bearer ", file: secrets/upstream}`, "credential: {type: header}", "17:"},
		{"unset variable", "${POSTERN_ADMIN_PORT:-9464}", "${ADMIN}", "ADMIN"},
		{"both audits", "audit:\n", "audit:\n  stdout: true\n", "say where audit lines go"},
		{"an admin host with its port", "admin:\n", "admin:\n  hosts: ['metrics:9464']\n", "admin.hosts[0]: must be a lower-case host name without a port"},
		{"an odd rate", "audit:\n", "limits: {rates: {subject: 10/day}}\naudit:\n", "must be a number from 1 to 1000000 for a second, minute or hour"},
		{"a share above the whole", "audit:\n", "limits: {in_flight: 10, in_flight_per_subject: 11}\naudit:\n", "limits.in_flight_per_subject: must lie between 1 and in_flight"},
		{"more streams than requests", "audit:\n", "limits: {in_flight_per_subject: 10, streams_per_subject: 11}\naudit:\n", "limits.streams_per_subject: must lie between 1 and in_flight_per_subject"},
		{"no connections", "audit:\n", "limits: {connections: 0}\naudit:\n", "limits.connections: must lie between 1 and 1048576"},
		{"more of one address than there are", "audit:\n", "limits: {connections: 5, connections_per_address: 6}\naudit:\n", "limits.connections_per_address: must lie between 1 and connections"},
		{"no connections of the issuer", "registration: open", "registration: open\n  limits: {connections: -1}", "authserver.limits.connections: must lie between 1 and 1048576"},
		{"an issuer's share above the whole", "registration: open", "registration: open\n  limits: {connections: 5, connections_per_address: 6}", "authserver.limits.connections_per_address: must lie between 1 and connections"},
		{"no time to read", "audit:\n", "limits: {write_time: 10ms}\naudit:\n", "limits.write_time: must lie between 1s and 10m0s"},
		{"no time to answer", "audit:\n", "limits: {answer_time: 10ms}\naudit:\n", "limits.answer_time: must lie between 1s and 24h0m0s"},
		{"tls without a key", "audit:\n", "tls: {cert_file: a.pem}\naudit:\n", "tls.key_file: missing: the PEM file"},
		{"tls with an odd word", "audit:\n", "tls: {cert_file: a, key_file: b, client_certificates: verify}\naudit:\n", "tls.client_certificates: must be one of: off, request"},
		{"tls behind an http URL", "audit:\n", "tls: {cert_file: a, key_file: b}\naudit:\n", "6:13: public_url: must be https: this port speaks TLS"},
		{"tls behind an http issuer", "registration: open", "registration: open\n  tls: {cert_file: a, key_file: b}", "authserver.issuer: must be https: this port speaks TLS"},
		{"bad path", "path: /calculator/mcp", "path: /calculator/../mcp", "must be a plain absolute path"},
		{"a redis without its URL", "secret_file: secrets/proxy", "secret_file: secrets/proxy\n  redis: {}", "state.redis.url_file: missing: the file that holds the redis:// URL"},
		{"no policy file", "policies/calculator.yaml", "policies/absent.yaml", "absent.yaml"},
		{"policy of another server", "policies/calculator.yaml", "policies/externaldb.yaml", `"externaldb"`},
		{"no database", "database: sqlite:authserver.db", "code_life: 1m", "authserver.database: say where everything is kept"},
		{"two databases", "registration: open", "registration: open\n  database_url_file: secrets/proxy", "authserver.database: say where everything is kept"},
		{"another database", "database: sqlite:authserver.db", "database: mysql://localhost/x", ":36:13: authserver.database: must be sqlite:PATH or postgres://USER@HOST/NAME"},
		{"a password in the file", "database: sqlite:authserver.db", "database: postgres://ada:secret@db/x", ":36:13: authserver.database: has a password"},
		{"a password behind it", "database: sqlite:authserver.db", "database: 'postgres://db/x?password=secret'", ":36:13: authserver.database: has a password"},
		{"a scheme of the browser's", "redirect_schemes: [cursor]", "redirect_schemes: [cursor, javascript]", ":41:30: authserver.redirect_schemes[1]: not a private-use scheme: browsers or systems act on javascript: themselves"},
		{"details without words", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  authorization_details: [{type: file}]", ":42:27: authserver.authorization_details[0].description: missing: words for the person who is asked"},
		{"details with a field for their type", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  authorization_details: [{type: file, description: Read, fields: [type]}]", ":42:68: authserver.authorization_details[0].fields[0]: type and locations are there without being named"},
		{"a role of a wrong name", "    guest: {", "    Guest: {", ":43:12: authserver.roles.Guest: role \"Guest\": a name has 1 to 64 of a-z, 0-9, _ and -"},
		{"a scope that is none", "scopes: [calc:basic], everyone", "scopes: [calc:basic, 'd*b'], everyone", "authserver.roles.guest.scopes[1]: scope \"d*b\": a scope, or the beginning of scopes with a * at its end"},
		{"administration for everyone", "scopes: [calc:basic], everyone", "scopes: ['postern:*'], everyone", "the administration is not for everyone"},
		{"a risk that does not exist", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', scopes: [{name: a, risk: none}]}]", ":42:72: authserver.resources[0].scopes[0].risk: must be one of: low, medium, high"},
		{"an issuer with a slash", "  issuer: http://127.0.0.1:${POSTERN_ISSUER_PORT:-8090}", "  issuer: http://127.0.0.1:${POSTERN_ISSUER_PORT:-8090}/", ":35:11: authserver.issuer: must end without a slash"},
		{"a server named as a resource too", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'http://127.0.0.1:8080/calculator/mcp'}]", ":42:26: authserver.resources[0].resource: named before"},
		{"a server described on two lines", "description: Sums, powers and whole expressions", `description: "Sums\nPowers"`, ":14:18: servers[0].description: must be one line of at most 200 characters"},
		{"a resource that hides words", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', description: \"Sums\\u200b\"}]", ":42:60: authserver.resources[0].description: must be one line"},
		{"a resource described at length", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', description: " + strings.Repeat("a", 201) + "}]", "authserver.resources[0].description: must be one line of at most 200"},
		{"a resource twice", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example'}, {resource: 'https://a.example'}]", "authserver.resources[1].resource: named before"},
		{"a scope twice", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', scopes: [{name: a}, {name: a}]}]", "authserver.resources[0].scopes[1].name: named before"},
		{"a scope of two words", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', scopes: [{name: a b}]}]", "authserver.resources[0].scopes[0].name: must be a scope"},
		{"a scope of the administration", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', scopes: [{name: 'postern:x'}]}]", "authserver.resources[0].scopes[0].name: scopes of the administration begin with postern:"},
		{"a database elsewhere by any way", "database: sqlite:authserver.db", "database: postgres://ada@db.example/x", ":36:13: authserver.database: the database's URL leaves open whether the connection is encrypted: add sslmode=verify-full"},
		{"a role's scope that no resource has", "scopes: [calc:basic], everyone", "scopes: [calc:basics], everyone", ":43:64: authserver.roles.guest.scopes[0]: no resource has such a scope; there are: calc:"},
		{"a role's pattern that meets nothing", "scopes: [calc:basic], everyone", "scopes: [calc:basic, 'cal-*'], everyone", "authserver.roles.guest.scopes[1]: no resource has such a scope"},
		{"a misspelt scope of the administration", "\"postern:*\"", "\"postern:user\"", "authserver.roles.admin.scopes[1]: no resource has such a scope"},
		{"a scope about a person", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  resources: [{resource: 'https://a.example', scopes: [{name: a}, {name: openid}]}]", ":42:74: authserver.resources[0].scopes[1].name: is about a person"},
		{"a host that is a URL", "redirect_schemes: [cursor]", "redirect_schemes: [cursor]\n  hosts: [auth.internal, 'http://auth']", ":42:26: authserver.hosts[1]: must be a Host as clients send it"},
		{"a scheme with its colon", "redirect_schemes: [cursor]", "redirect_schemes: ['cursor:']", ":41:22: authserver.redirect_schemes[0]: not a private-use scheme: 2 to 40 lower-case letters"},
		{"a proxy that is no network", "registration: open", "registration: open\n  trusted_proxies: [10.0.0.1]", ":40:21: item 1 of \"trusted_proxies\": must be a network in CIDR form"},
		{"a proxy network with host bits", "registration: open", "registration: open\n  trusted_proxies: [fd00::/8, 10.0.0.1/8]", "write 10.0.0.0/8"},
		{"everybody is a proxy", "registration: open", "registration: open\n  trusted_proxies: [0.0.0.0/0]", "would be everybody"},
		{"a mapped proxy network", "registration: open", "registration: open\n  trusted_proxies: ['::ffff:10.0.0.0/104']", "written as the IPv4 network"},
		{"accounts for a strange crowd", "registration: open", "registration: open\n  sign_up: friends", ":40:12: authserver.sign_up: must be one of: closed, invitation, open"},
		{"second factors asked for in a strange way", "registration: open", "registration: open\n  second_factor: {ask: never}", ":40:24: authserver.second_factor.ask: must be one of: risk, always"},
		{"a browser remembered for ever", "registration: open", "registration: open\n  second_factor: {remember: 10000h}", ":40:29: authserver.second_factor.remember: must lie between 0s and 8760h0m0s"},
		{"sign-ins denied to everybody", "registration: open", "registration: open\n  sign_in: {deny_networks: ['::/0']}", ":40:29: item 1 of \"deny_networks\": would be everybody"},
		{"sign-ins allowed to no network", "registration: open", "registration: open\n  sign_in: {allow_networks: [office]}", ":40:30: item 1 of \"allow_networks\": must be a network in CIDR form"},
		{"networks of no bits", "registration: open", "registration: open\n  sign_in: {network_bits: {ipv4: 0}}", ":40:34: authserver.sign_in.network_bits.ipv4: must lie between 8 and 32"},
		{"networks of too many bits", "registration: open", "registration: open\n  sign_in: {network_bits: {ipv6: 129}}", "authserver.sign_in.network_bits.ipv6: must lie between 16 and 128"},
		{"nothing remembered", "registration: open", "registration: open\n  sign_in: {remember: 0s}", ":40:23: authserver.sign_in.remember: must lie between 1h0m0s"},
		{"an odd answer without a factor", "registration: open", "registration: open\n  sign_in: {without_factor: step_up}", ":40:29: authserver.sign_in.without_factor: must be one of: allow, refuse"},
		{"a weight there is not", "registration: open", "registration: open\n  sign_in: {weights: {denied_network: 3}}", ":40:39: authserver.sign_in.weights.denied_network: has no weight: those that do are first_sign_in,"},
		{"a weight below nothing", "registration: open", "registration: open\n  sign_in: {weights: {new_agent: -1}}", ":40:34: authserver.sign_in.weights.new_agent: must lie between 0 and 1000"},
		{"a threshold of nothing", "registration: open", "registration: open\n  sign_in: {thresholds: {step_up: 0}}", ":40:35: authserver.sign_in.thresholds.step_up: must lie between 1 and 1000"},
		{"thresholds the wrong way round", "registration: open", "registration: open\n  sign_in: {thresholds: {step_up: 50, refuse: 49}}", ":40:47: authserver.sign_in.thresholds.refuse: must not be lower than step_up"},
		{"failures that count for ever", "registration: open", "registration: open\n  sign_in: {failures: {within: 25h}}", ":40:32: authserver.sign_in.failures.within: must lie between 1m0s and 24h0m0s"},
		{"no failure counts", "registration: open", "registration: open\n  sign_in: {failures: {most: 0}}", ":40:30: authserver.sign_in.failures.most: must lie between 1 and 100"},
		{"nobody travels", "registration: open", "registration: open\n  sign_in: {speed: 0}", ":40:20: authserver.sign_in.speed: must lie between 1 and 100000 km/h"},
		{"a pace that cannot be counted", "registration: open", "registration: open\n  sign_in: {pace: 101/h}", ":40:19: authserver.sign_in.pace: must not be more than 100"},
		{"a place nowhere", "registration: open", "registration: open\n  sign_in: {places: [{name: x, networks: [10.0.0.0/8]}]}", ":40:22: authserver.sign_in.places[0]: latitude and longitude are required"},
		{"a place off the earth", "registration: open", "registration: open\n  sign_in: {places: [{name: x, networks: [10.0.0.0/8], latitude: 91, longitude: 0}]}", ":40:66: authserver.sign_in.places[0].latitude: must lie between -90 and 90"},
		{"one network in two places", "registration: open", "registration: open\n  sign_in: {places: [{name: x, networks: [10.0.0.0/8], latitude: 1, longitude: 0}, {name: y, networks: [10.0.0.0/8], latitude: 1, longitude: 0}]}", "authserver.sign_in.places[1].networks[0]: lies in a place named before"},
		{"a misspelt rule", "registration: open", "registration: open\n  sign_in: {deny_network: [10.0.0.0/8]}", "deny_networks"},
		{"an algorithm of secrets", "registration: open", "registration: open\n  keys: {algorithm: HS256}", ":40:21: authserver.keys.algorithm: must be one of: ES256, RS256, PS256, EdDSA"},
		{"keys for a minute", "registration: open", "registration: open\n  keys: {rotate_every: 1m}", ":40:24: authserver.keys.rotate_every: must lie between 1h0m0s and"},
		{"keys nobody can know", "registration: open", "registration: open\n  keys: {publish_before: 14s}", "authserver.keys.publish_before: must lie between 15s"},
		{"keys published too early", "registration: open", "registration: open\n  keys: {rotate_every: 2h, publish_before: 61m}", "authserver.keys.publish_before: must lie between 15s"},
		{"codes kept in an odd place", "registration: open", "registration: open\n  short_lived: memory", ":40:16: authserver.short_lived: must be one of: database, redis"},
		{"codes in a Redis that is not there", "registration: open", "registration: open\n  short_lived: redis", ":40:16: authserver.short_lived: redis needs the one of state.redis: name the file with its URL as state.redis.url_file"},
		{"an odd profile", "registration: open", "registration: open\n  profile: fapi1", "authserver.profile: must be one of: mcp, fapi2"},
		{"codes for longer than the profile has them", "registration: open", "registration: open\n  profile: fapi2\n  code_life: 2m", "authserver.code_life: must be at most 1m0s with profile: fapi2"},
		{"an algorithm the profile does not have", "registration: open", "registration: open\n  profile: fapi2\n  keys: {algorithm: RS256}", "authserver.keys.algorithm: must be ES256, PS256 or EdDSA with profile: fapi2"},
		{"authorities of certificates that cannot be shown", "registration: open", "registration: open\n  client_ca_file: ca.pem", "authserver.client_ca_file: needs authserver.tls with client_certificates: request"},
		{"a host with a port", "client_documents: {loopback: true}", "client_documents: {hosts: ['a.example:8443']}", "authserver.client_documents.hosts[0]: \"a.example:8443\" must be a host name"},
		{"a provider without a name", "registration: open", "registration: open\n  providers: [{preset: google, client_id: c, client_secret_file: s}]", ":40:15: authserver.providers[0].name: must be 1 to 32 of a-z, 0-9 and -"},
		{"a provider whose name means administrators", "registration: open", "registration: open\n  providers: [{name: assigned, preset: google, client_id: c, client_secret_file: s}]", ":40:22: authserver.providers[0].name: must be"},
		{"a provider twice", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s}, {name: g, preset: google, client_id: c, client_secret_file: s}]", "authserver.providers[1].name: named before"},
		{"a preset nobody has", "registration: open", "registration: open\n  providers: [{name: g, preset: goggle, client_id: c, client_secret_file: s}]", ":40:33: authserver.providers[0].preset: must be one of: google"},
		{"a provider without issuer", "registration: open", "registration: open\n  providers: [{name: g, client_id: c, client_secret_file: s}]", "authserver.providers[0].issuer: missing: an https URL"},
		{"a provider in plain", "registration: open", "registration: open\n  providers: [{name: g, issuer: 'http://corp.example', client_id: c, client_secret_file: s}]", "authserver.providers[0].issuer: must be https"},
		{"a provider without client", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_secret_file: s}]", "authserver.providers[0].client_id: missing: what the provider calls this server"},
		{"a provider without secret", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c}]", "authserver.providers[0].client_secret_file: give exactly one of client_secret_file and client_key_file"},
		{"a provider with its secret in the file", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret: s}]", `"client_secret"`},
		{"a provider that tells nothing", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, scopes: [email]}]", "authserver.providers[0].scopes: must have openid among them"},
		{"an odd way to link", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, link: email}]", "authserver.providers[0].link: must be one of: never, verified_email"},
		{"domains that link nothing", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, domains: [corp.example]}]", "authserver.providers[0].domains: is for link: verified_email"},
		{"a domain that is an address", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, link: verified_email, domains: ['a@corp.example']}]", "authserver.providers[0].domains[0]: must be a domain in lower case"},
		{"everybody's domain", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, admit: ['*.example']}]", "authserver.providers[0].admit[0]: must be a domain in lower case"},
		{"a claim for a role nobody defined", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, claims_to_roles: [{claim: groups, value: dba, role: dba}]}]", "authserver.providers[0].claims_to_roles[0].role: must be one of: admin, "},
		{"a role for every claim", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, claims_to_roles: [{role: admin}]}]", "authserver.providers[0].claims_to_roles[0].claim: missing"},
		{"a class that is none here", "registration: open", "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: s, acr: {gold: best}}]", "authserver.providers[0].acr.gold: must be one of: mfa, phr"},
		{"short code life", "registration: open", "registration: open\n  code_life: 1h", "must lie between 10s and 10m0s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := copyExample(folder); err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(good), row.old, row.new, 1)
			if text == string(good) {
				t.Fatalf("%q is not in the example", row.old)
			}
			path := filepath.Join(folder, "postern.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, errs := runIn(t, "check", "--without-files", "-c", path)
			if code != exitUsage || !strings.Contains(errs, row.want) {
				t.Errorf("exit %d, want %d with %q in:\n%s", code, exitUsage, row.want, errs)
			}
		})
	}
}

// Of an authorization server alone: without a resource there is nothing to issue
// tokens for, and the file with the URL is looked at when it is there.
func TestMistakesOfAnAuthorizationServerAlone(t *testing.T) {
	const block = "authserver:\n  listen: 127.0.0.1:8090\n  issuer: https://auth.example\n  secret_file: s\n"
	const resources = "  resources: [{resource: 'https://a.example', scopes: [{name: a}]}]\n"
	for _, row := range []struct{ name, rest, url, want string }{
		{"fine", "  database: sqlite:x.db\n" + resources, "", ""},
		{"no resources", "  database: sqlite:x.db\n", "", "authserver.resources: missing: name the resources that tokens are for"},
		{"a URL on another machine", "  database_url_file: absent\n" + resources, "", ""},
		{"a good URL", "  database_url_file: url\n" + resources, "postgres://a:hidden@db/x?sslmode=verify-full", ""},
		{"a URL that may be plain", "  database_url_file: url\n" + resources, "postgres://a:hidden@db/x", ":5:22: authserver.database_url_file: the database's URL leaves open"},
		{"no URL", "  database_url_file: url\n" + resources, "hidden", "authserver.database_url_file: "},
		{"roles for all there is, and will be", "  database: sqlite:x.db\n  roles: {a: {scopes: ['*', 'postern:*']}}\n" + resources, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "postern.yaml")
			for file, text := range map[string]string{"postern.yaml": block + row.rest, "url": row.url, "s": strings.Repeat("s", 32)} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, errs := runIn(t, "check", "--without-files", "-c", path)
			if row.want == "" {
				if code != exitFine {
					t.Errorf("exit %d with %s", code, errs)
				}
				return
			}
			if code != exitUsage || !strings.Contains(errs, row.want) || strings.Contains(errs, "hidden") {
				t.Errorf("exit %d, want %q in:\n%s", code, row.want, errs)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"version"}, exitFine, ""},
		{[]string{"--help"}, exitFine, ""},
		{[]string{"up", "--port-base", "70000"}, exitUsage, "--port-base must lie between"},
		{[]string{"up", "--nonsense"}, exitUsage, "See: postern up --help"},
		{[]string{"up", "x"}, exitUsage, "takes no argument"},
		{[]string{"proxy", "-c", "absent.yaml"}, exitUsage, "absent.yaml"},
		{[]string{"mcp", "externaldb"}, exitUsage, "--database-file is required"},
		{[]string{"mcp", "calculator", "--listen", "127.0.0.1:0"}, exitUsage, "--credential-file"},
		{[]string{"nonsense"}, exitUsage, `there is no command "postern nonsense"`},
		{[]string{"mcp", "nonsense"}, exitUsage, `there is no command "postern mcp nonsense"`},
		{[]string{"admin", "user", "rename"}, exitUsage, `there is no command "postern admin user rename"`},
		{[]string{"admin", "client", "create", "x"}, exitUsage, "--scope is required"},
		{[]string{"admin", "resource-server", "create", "x"}, exitUsage, "--resource is required"},
		{[]string{"admin", "user", "create", "x", "--password-stdin"}, exitUsage, "there is no password on stdin"},
		{[]string{"mcp", "calculator", "--credential-file", "x"}, exitUsage, "--credential-file goes with --listen"},
		{[]string{"--version"}, exitFine, ""},
	} {
		code, _, errs := runIn(t, row.args...)
		if code != row.code || !strings.Contains(errs, row.want) {
			t.Errorf("%q: exit %d with %q, want %d with %q", row.args, code, errs, row.code, row.want)
		}
	}
}

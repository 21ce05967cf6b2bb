package authserver

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/postern-mcp/postern/authserver/admin"
)

// driver asks for operations of the document and holds each answer to it.
type driver struct {
	*rig
	token  string
	paths  map[string]any
	schema *jsonschema.Compiler
	driven map[string]bool // by method and path of the document
	sent   map[string]bool // by those, and the name of a query parameter
}

const documentAt = "https://postern.test/openapi.json"

func newDriver(t *testing.T) *driver {
	t.Helper()
	g := newRig(t, func(c *Config) { c.SignUp = SignUpInvitation })
	d := &driver{rig: g, token: g.adminToken(allScopes...), schema: jsonschema.NewCompiler(), driven: map[string]bool{}, sent: map[string]bool{}}
	text := g.api("", "GET", "/openapi.json", "")
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text.body))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	d.paths = root["paths"].(map[string]any)
	// What is not documented must not be answered either.
	for _, s := range root["components"].(map[string]any)["schemas"].(map[string]any) {
		s.(map[string]any)["additionalProperties"] = false
	}
	d.schema.AssertFormat()
	if err := d.schema.AddResource(documentAt, doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// ask drives the operation at method and pattern, and gives the checked answer.
func (d *driver) ask(method, pattern, body string, status int, values ...string) map[string]any {
	d.t.Helper()
	path := pattern
	for len(values) > 0 && strings.HasPrefix(values[0], "{") {
		path, values = strings.Replace(path, values[0], url.PathEscape(values[1]), 1), values[2:]
	}
	query := url.Values{}
	for i := 0; i < len(values); i += 2 {
		query.Set(values[i], values[i+1])
	}
	a := d.api(d.token, method, path+"?"+query.Encode(), body)
	d.driven[strings.ToLower(method)+" "+pattern] = true
	for name := range query {
		d.sent[strings.ToLower(method)+" "+pattern+" "+name] = true
	}
	if a.status != status {
		d.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	for _, lack := range lacks(d.paths[pattern], method, status, slices.Collect(maps.Keys(query)), pattern) {
		d.t.Errorf("%s %s: the document has no %s", method, pattern, lack)
	}
	d.conforms(method, pattern, a)
	var fields map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal([]byte(a.body), &fields); err != nil {
			d.t.Fatal(err)
		}
	}
	return fields
}

// lacks is what the document does not say of a request that was answered: the
// operation, its status, or a parameter.
func lacks(item any, method string, status int, query []string, pattern string) (all []string) {
	operations, _ := item.(map[string]any)
	operation, ok := operations[strings.ToLower(method)].(map[string]any)
	if !ok {
		return []string{"operation"}
	}
	if _, ok := operation["responses"].(map[string]any)[strconv.Itoa(status)]; !ok {
		all = append(all, "status "+strconv.Itoa(status))
	}
	known := map[string]bool{}
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		known[p.(map[string]any)["in"].(string)+" "+p.(map[string]any)["name"].(string)] = true
	}
	for _, name := range query {
		if !known["query "+name] {
			all = append(all, "parameter "+name)
		}
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && !known["path "+strings.TrimSuffix(name, "}")] {
			all = append(all, "parameter "+part)
		}
	}
	return all
}

// conforms holds an answer to the schema that the document has for its status.
func (d *driver) conforms(method, pattern string, a answerOf) {
	d.t.Helper()
	if a.status == 204 {
		if a.body != "" {
			d.t.Errorf("%s %s: a body with 204: %s", method, pattern, a.body)
		}
		return
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	pointer := "/paths/" + escaped(pattern) + "/" + strings.ToLower(method) + "/responses/" + strconv.Itoa(a.status)
	if a.status >= 400 {
		pointer = "/components/responses/Problem"
	}
	s, err := d.schema.Compile(documentAt + "#" + pointer + "/content/" + escaped(media) + "/schema")
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, pattern, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(a.body)))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		d.t.Errorf("%s %s: %v\n%s", method, pattern, err, a.body)
	}
}

// escaped is a token of a JSON Pointer in a URI.
func escaped(s string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1"))
}

// Every operation of the document is asked for, and answers as the document
// says; what this test does not drive fails it.
func TestAPIAnswersAsItsDocumentSays(t *testing.T) {
	d := newDriver(t)
	client := d.publicClient()
	d.tokens(client)
	eve := d.ask("POST", "/users", `{"name":"eve","full_name":"Eve","email":"eve@example.com","roles":["admin"]}`, 201)["user"].(map[string]any)["id"].(string)
	d.driveUsers(eve)
	d.driveClients(client)
	d.driveRecords()
	d.driveParameters(client, eve)
	d.ask("DELETE", "/users/{user}", "", 204, "{user}", eve)

	for pattern, item := range d.paths {
		for method, operation := range item.(map[string]any) {
			if !d.driven[method+" "+pattern] {
				t.Errorf("nobody asked for %s %s", method, pattern)
			}
			parameters, _ := operation.(map[string]any)["parameters"].([]any)
			for _, p := range parameters {
				name := p.(map[string]any)["name"].(string)
				if p.(map[string]any)["in"] == "query" && !d.sent[method+" "+pattern+" "+name] {
					t.Errorf("nobody sent %s to %s %s", name, method, pattern)
				}
			}
		}
	}
	if len(d.driven) < 30 {
		t.Errorf("%d operations", len(d.driven))
	}
	for _, what := range slices.Sorted(maps.Keys(d.driven)) {
		method, pattern, _ := strings.Cut(what, " ")
		if item, ok := d.paths[pattern].(map[string]any); !ok || item[method] == nil {
			t.Errorf("%s is not in the document", what)
		}
	}
}

func (d *driver) driveUsers(eve string) {
	d.t.Helper()
	if items := d.ask("GET", "/users", "", 200, "search", "e", "limit", "1")["items"].([]any); len(items) != 1 {
		d.t.Errorf("%v", items)
	}
	d.ask("GET", "/users/{user}", "", 200, "{user}", eve)
	d.ask("GET", "/users/{user}", "", 404, "{user}", "nobody/at all")
	d.ask("GET", "/users/{user}/identities", "", 200, "{user}", eve)
	d.ask("GET", "/users/{user}/identities", "", 404, "{user}", "nobody")
	d.ask("PATCH", "/users/{user}", `{"email_verified":true}`, 200, "{user}", eve)
	d.ask("PATCH", "/users/{user}", `{"email":"x"}`, 422, "{user}", eve)
	d.ask("PUT", "/users/{user}/roles", `{"roles":["user","admin"]}`, 200, "{user}", eve)
	d.ask("PUT", "/users/{user}/password", `{}`, 200, "{user}", eve)
	d.ask("DELETE", "/users/{user}/factors/{factor}", "", 204, "{user}", eve, "{factor}", "all")
	d.ask("DELETE", "/users/{user}/sessions", "", 204, "{user}", eve)
	d.ask("POST", "/users/{user}/reset-link", "", 201, "{user}", eve)
	d.ask("POST", "/invitations", `{"email":"new@example.com","roles":["admin"]}`, 201)
	invited := d.ask("GET", "/invitations", "", 200)["items"].([]any)[0].(map[string]any)["id"].(string)
	d.ask("DELETE", "/invitations/{invitation}", "", 204, "{invitation}", invited)
	d.ask("DELETE", "/invitations/{invitation}", "", 204, "{invitation}", invited)
	d.ask("GET", "/roles", "", 200)
	if items := d.ask("GET", "/roles/{role}/holders", "", 200, "{role}", "admin", "kind", "user")["items"].([]any); len(items) != 1 {
		d.t.Errorf("%v", items)
	}
	d.ask("PATCH", "/users/{user}", `{"disabled":true}`, 200, "{user}", eve)
}

func (d *driver) driveClients(client string) {
	d.t.Helper()
	made := d.ask("POST", "/clients", `{"name":"robot","scopes":["calc:basic","postern:read"],"roles":["user"]}`, 201)
	robot := made["client"].(map[string]any)["id"].(string)
	d.ask("POST", "/clients", `{"name":"watcher","resources":["`+calculator+`"]}`, 201)
	d.ask("POST", "/clients/register", `{"metadata":{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}}`, 201)
	d.ask("POST", "/clients/register", `{"metadata":{"redirect_uris":["javascript:x"]}}`, 422)
	d.ask("GET", "/clients", "", 200, "registered", "false", "limit", "1")
	d.ask("GET", "/clients/{client}", "", 200, "{client}", robot)
	d.ask("PATCH", "/clients/{client}", `{"name":"Robot"}`, 200, "{client}", robot)
	d.ask("PUT", "/clients/{client}/roles", `{"roles":[]}`, 200, "{client}", robot)
	d.ask("POST", "/clients/{client}/secret", `{"overlap_seconds":60}`, 200, "{client}", robot)
	d.ask("GET", "/clients/{client}", "", 200, "{client}", robot)
	d.ask("DELETE", "/clients/{client}", "", 204, "{client}", robot)
	d.ask("DELETE", "/clients/{client}", "", 204, "{client}", robot)
	grants := d.ask("GET", "/grants", "", 200, "client", client)["items"].([]any)
	tokens := d.ask("GET", "/tokens", "", 200, "client", client)["items"].([]any)
	if len(grants) != 1 || len(tokens) != 1 {
		d.t.Fatalf("%v %v", grants, tokens)
	}
	d.ask("GET", "/grants", "", 400)
	d.ask("DELETE", "/tokens/{token}", "", 204, "{token}", tokens[0].(map[string]any)["id"].(string))
	d.ask("DELETE", "/grants/{grant}", "", 204, "{grant}", grants[0].(map[string]any)["id"].(string))
}

func (d *driver) driveRecords() {
	d.t.Helper()
	sessions := d.ask("GET", "/sessions", "", 200)["items"].([]any)
	if len(sessions) != 1 {
		d.t.Fatalf("%v", sessions)
	}
	d.ask("DELETE", "/sessions/{session}", "", 204, "{session}", sessions[0].(map[string]any)["id"].(string))
	if items := d.ask("GET", "/sign-ins", "", 200)["items"].([]any); len(items) == 0 {
		d.t.Error("no sign-in")
	}
	ada := d.ask("GET", "/users", "", 200, "name", testUser)["items"].([]any)[0].(map[string]any)["id"].(string)
	d.ask("GET", "/users/{user}/risk", "", 200, "{user}", ada, "address", "192.0.2.9", "agent", "curl/8")
	d.ask("POST", "/keys/rotate", `{"after_seconds":15}`, 200)
	key := d.ask("GET", "/keys", "", 200)["items"].([]any)[1].(map[string]any)["kid"].(string)
	d.ask("GET", "/status", "", 200)
	d.ask("POST", "/keys/{key}/revoke", "", 200, "{key}", key)
}

// driveParameters sends every parameter that chooses from a list.
func (d *driver) driveParameters(client, user string) {
	d.t.Helper()
	for _, row := range []struct {
		pattern string
		values  []string
	}{
		{"/users", []string{"search", "EVE", "name", "eve", "email", "eve@example.com", "limit", "1"}},
		{"/clients", []string{"search", "Suite", "registered", "true", "limit", "1"}},
		{"/roles/{role}/holders", []string{"{role}", "admin", "kind", "client", "limit", "1"}},
		{"/grants", []string{"user", user, "client", client, "limit", "1"}},
		{"/tokens", []string{"user", user, "client", client, "limit", "1"}},
		{"/sessions", []string{"user", user, "limit", "1"}},
		{"/sign-ins", []string{"user", user, "outcome", "allow", "limit", "1"}},
	} {
		d.ask("GET", row.pattern, "", 200, row.values...)
		d.ask("GET", row.pattern, "", 400, append(row.values, "after", "!")...)
	}
	d.ask("GET", "/users/{user}/risk", "", 200, "{user}", user, "address", "192.0.2.9", "agent", "x", "at", "2026-11-21T12:00:00Z")
	d.ask("GET", "/sign-ins", "", 400, "outcome", "odd")
}

// What the document would leave out is found: a parameter, a status, a member.
func TestGapsOfTheDocumentAreFound(t *testing.T) {
	d := newDriver(t)
	item := d.paths["/users/{user}"].(map[string]any)
	operation := item["get"].(map[string]any)
	if got := lacks(item, "GET", 200, nil, "/users/{user}"); got != nil {
		t.Errorf("%v", got)
	}
	for _, row := range []struct {
		method string
		status int
		query  []string
		want   string
	}{
		{"GET", 200, []string{"x"}, "parameter x"}, {"GET", 418, nil, "status 418"}, {"PUT", 200, nil, "operation"},
	} {
		if got := lacks(item, row.method, row.status, row.query, "/users/{user}"); !slices.Equal(got, []string{row.want}) {
			t.Errorf("%v, want %s", got, row.want)
		}
	}
	delete(operation, "parameters")
	if got := lacks(item, "GET", 200, nil, "/users/{user}"); !slices.Equal(got, []string{"parameter {user}"}) {
		t.Errorf("%v", got)
	}
	user := d.ask("POST", "/users", `{"name":"eve"}`, 201)["user"].(map[string]any)
	s, err := d.schema.Compile(documentAt + "#/components/schemas/User")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(user); err != nil {
		t.Error(err)
	}
	if user["unheard"] = true; s.Validate(user) == nil {
		t.Error("a member that is not in the document")
	}
	delete(user, "unheard")
	if delete(user, "roles"); s.Validate(user) == nil {
		t.Error("without a member that the document demands")
	}
}

// The document and its page are for everybody, and load nothing.
func TestDocumentIsServed(t *testing.T) {
	g := newRig(t)
	page := g.api("", "GET", "/docs", "")
	if page.status != 200 || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(page.body, "<script") {
		t.Errorf("%d %v", page.status, page.header)
	}
	for _, w := range admin.ScopeWords {
		if !strings.Contains(page.body, "<code>"+w.Name+"</code>") {
			t.Errorf("the page does not name %s", w.Name)
		}
	}
	below := newRig(t, func(c *Config) { c.Issuer += "/tenant" })
	if a := below.api(below.adminToken(admin.ScopeRead), "GET", "/status", ""); a.status != 200 || a.str("issuer") != below.url {
		t.Errorf("below a path: %d %s", a.status, a.body)
	}
	if a := below.api("", "GET", "/status", ""); !strings.Contains(a.header.Get("WWW-Authenticate"), "/.well-known/oauth-protected-resource/tenant/api/v1") {
		t.Errorf("below a path: %v", a.header)
	}
	if a := g.api("", "GET", "/openapi.json", ""); a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.str("openapi") != "3.1.1" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

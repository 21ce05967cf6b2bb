package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// adminRoles are roles that a password is enough for.
const adminRoles = `  registration: open
  roles:
    everybody: {scopes: ["*"], everyone: true}
    registrar: {description: "People who let others in", scopes: [postern:read, postern:users]}
`

// bureau is a desk whose administration is tried.
type bureau struct {
	*desk
	home string // where postern admin login keeps what it gets
}

func openBureau(t *testing.T, databaseURL string) *bureau {
	t.Helper()
	s := setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}})
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), "  registration: open\n", adminRoles, 1)
	if databaseURL != "" {
		write(t, filepath.Join(s.dir, "database"), databaseURL+"\n")
		config = strings.Replace(config, "database: sqlite:authserver.db", "database_url_file: database", 1)
	}
	write(t, s.config, config)
	o := &bureau{desk: &desk{stage: s, user: person{"ada", adasPassword}}, home: t.TempDir()}
	o.serve(t)
	o.administer(t, o.user.Password+"\n", "user", "create", o.user.Username, "--password-stdin")
	o.target = o.resource("only")
	return o
}

// run is a command with its exit status.
func (o *bureau) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"admin", "-c", o.config}, args...)...)
	var out, errs bytes.Buffer
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+o.home)
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its exit status says it
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// fine is what a command prints that must work.
func (o *bureau) fine(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := o.run(t, args...)
	if code != 0 || errs != "" {
		t.Fatalf("postern admin %v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

var changing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`user_[\w-]{22}`), "USER"},
	{regexp.MustCompile(`client_[\w-]{22}`), "CLIENT"},
	{regexp.MustCompile(`session_[\w-]{43}`), "SESSION"},
	{regexp.MustCompile(`pcs_[\w-]{43}`), "SECRET"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z`), "TIME"},
	{regexp.MustCompile(`ticket=[\w-]{43}`), "ticket=TICKET"},
	{regexp.MustCompile(`(?m)^[\w-]{43}  `), "KID  "},
	{regexp.MustCompile(`(?m)  +`), "  "},
}

// settled is output without what is another every time.
func (o *bureau) settled(text string) string {
	text = strings.ReplaceAll(text, o.issuer, "ISSUER")
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.word)
	}
	return text
}

// aligned: the columns of a table begin where their heads do.
func aligned(t *testing.T, table string) {
	t.Helper()
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	for _, at := range regexp.MustCompile(`  \S`).FindAllStringIndex(lines[0], -1) {
		for _, line := range lines[1:] {
			if len(line) < at[1] || line[at[1]-2] != ' ' || line[at[1]-1] == ' ' {
				t.Errorf("column %d of\n%s", at[1], table)
				return
			}
		}
	}
}

// Everyday work, word by word.
func TestAdminCommands(t *testing.T) {
	for name, shared := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			address := ""
			if shared {
				address = databases.empty(t)
			}
			everydayWork(t, openBureau(t, address))
		})
	}
}

func everydayWork(t *testing.T, o *bureau) {
	client := strings.Fields(o.fine(t, "client", "create", "robot", "--scope", "everything"))[1]
	people := "NAME  FULL NAME  EMAIL  ROLES  SECOND FACTORS  STATE  LAST SIGN-IN\n"
	eve := "eve  Eve Adams  eve@example.com  registrar  -  no password  -\n"
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"user", "create", "eve", "--no-password", "--full-name", "Eve Adams", "--email", "eve@example.com", "--role", "registrar"}, ""},
		{[]string{"user", "list"}, people + "ada  -  -  -  -  active  -\n" + eve},
		{[]string{"user", "list", "--search", "ADAMS"}, people + eve},
		{[]string{"user", "list", "--search", "e@example"}, people + eve},
		{[]string{"user", "update", "eve", "--email-verified", "--disabled", "--yes"}, "ID  USER\nName  eve\nFull name  Eve Adams\nEmail  eve@example.com\n" +
			"State  disabled\nRoles  registrar, given by an administrator\nSecond factors  -\nLast sign-in  -\nCreated  TIME\nPassword set  -\nDisabled  TIME\n"},
		{[]string{"user", "update", "eve", "--disabled=false", "--email", ""}, "ID  USER\nName  eve\nFull name  Eve Adams\nEmail  -\n" +
			"State  no password\nRoles  registrar, given by an administrator\nSecond factors  -\nLast sign-in  -\nCreated  TIME\nPassword set  -\nDisabled  -\n"},
		{[]string{"role", "list"}, "NAME  SCOPES  EVERYONE  SECOND FACTOR  DESCRIPTION\neverybody  *  yes  no  -\n" +
			"registrar  postern:read postern:users  no  no  People who let others in\n"},
		{[]string{"role", "give", "registrar", "--user", "ada", "--yes"}, ""},
		{[]string{"role", "take", "registrar", "--user", "eve"}, ""},
		{[]string{"role", "holders", "--role", "registrar"}, "KIND  ID  NAME  WHERE FROM  SINCE\nuser  USER  ada  given by an administrator  TIME\n"},
		{[]string{"role", "give", "everybody", "--client", client}, ""},
		{[]string{"client", "list", "--registered=false", "--search", "ROB"}, "CLIENT ID  NAME  KIND  SCOPES  ROLES  CREATED\n" +
			"CLIENT  robot  machine  everything  everybody  TIME\n"},
		{[]string{"client", "update", client, "--name", "Robot"}, "Client ID  CLIENT\nName  Robot\nKind  machine\nMade  by an administrator\nProves itself by  client_secret_basic\n" +
			"Grants  client_credentials\nScopes  everything (and no others)\nRoles  everybody\nRedirects  -\nResources  -\nDPoP required  no\nCreated  TIME\nOld secret until  -\n"},
		{[]string{"client", "rotate-secret", client, "--overlap", "1h"}, "client_id CLIENT\nclient_secret SECRET\n"},
		{[]string{"key", "list"}, "KID  ALG  STATE  SIGNS FROM  UNTIL\nKID  ES256  signs  TIME  TIME\n"},
		{[]string{"invite", "--role", "registrar"}, "ISSUER/sign-up?ticket=TICKET\n"},
		{[]string{"user", "reset-link", "ada"}, "ISSUER/reset?ticket=TICKET\n"},
		{[]string{"user", "remove-factor", "--yes", "ada"}, ""},
		{[]string{"user", "delete", "--yes", "eve"}, ""},
		{[]string{"client", "delete", "--yes", client}, ""},
	} {
		out := o.fine(t, step.args...)
		if got := o.settled(out); got != step.want {
			t.Errorf("%v:\n%s\nwant\n%s", step.args, got, step.want)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%v: %q", step.args, out)
		}
		if len(step.args) > 1 && step.args[1] == "list" {
			aligned(t, out)
		}
	}
	o.nothingListed(t)
}

// nothingListed: an empty list says so, and not where data goes.
func (o *bureau) nothingListed(t *testing.T) {
	t.Helper()
	for _, row := range []struct{ args, says string }{
		{"user list --search nobody", "No users.\n"},
		{"role holders --role everybody", "Nobody was given this role.\n"},
		{"client list --registered", "No clients.\n"},
		{"grant list --user ada", "No grants.\n"},
		{"grant list --user ada --client x", "No grants.\n"},
		{"token list --client x", "No live access tokens.\n"},
		{"session list", "No sessions.\n"},
		{"sign-in list --outcome failed", "No sign-ins.\n"},
	} {
		if code, out, errs := o.run(t, strings.Fields(row.args)...); code != 0 || out != "" || errs != row.says {
			t.Errorf("%s: exit %d %q %q", row.args, code, out, errs)
		}
		if out := o.fine(t, append(strings.Fields(row.args), "-o", "json")...); out != `{"items":[]}`+"\n" {
			t.Errorf("%s: %q", row.args, out)
		}
	}
}

// Mistakes are told in one sentence, with the exit status of their kind.
func TestAdminCommandsThatFail(t *testing.T) {
	o := openBureau(t, "")
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"user", "create", "ada"}, 1, `postern: there is a user "ada" already`},
		{[]string{"user", "create", "eve", "--role", "king"}, 1, `There is no role "king"`},
		{[]string{"user", "create", "eve", "--email", "x"}, 1, "email is no address"},
		{[]string{"user", "show", "nobody"}, 1, `there is no user "nobody"; see: postern admin user list`},
		{[]string{"user", "update", "ada"}, 2, "needs one of --"},
		{[]string{"user", "list", "-o", "xml"}, 2, "must be one of: table, json"},
		{[]string{"user", "delete", "ada"}, 2, `this would delete, for good "ada": say --yes, because there is no terminal to ask at`},
		{[]string{"user", "update", "ada", "--disabled"}, 2, `this would disable "ada", with all sessions, grants and tokens: say --yes`},
		{[]string{"user", "password", "ada"}, 2, `this would end the password and all sessions of "ada": say --yes`},
		{[]string{"user", "remove-factor", "ada"}, 2, `this would remove second factors of "ada": say --yes`},
		{[]string{"role", "give", "registrar", "--user", "ada"}, 2, "this would let ada administer this server: say --yes"},
		{[]string{"role", "give", "king", "--user", "ada"}, 1, `There is no role "king"`},
		{[]string{"client", "delete", "x"}, 2, `this would delete "x": say --yes`},
		{[]string{"client", "rotate-secret", "x"}, 2, `this would end the secret of "x" at once: say --yes`},
		{[]string{"grant", "revoke", "x", "y"}, 2, `this would revoke these grants "x", "y": say --yes`},
		{[]string{"token", "revoke", "x"}, 2, "say --yes"},
		{[]string{"session", "end", "x"}, 2, "say --yes"},
		{[]string{"session", "end", "--user", "ada"}, 2, `this would end all sessions of "ada": say --yes`},
		{[]string{"session", "end"}, 2, "name sessions, or say --user NAME"},
		{[]string{"invitation", "cancel", "x"}, 2, "say --yes"},
		{[]string{"user", "delete", "--yes", "ghost", "ada"}, 1, `ghost: there is no user "ghost"; see: postern admin user list; 0 of 2 were deleted before`},
		{[]string{"user", "list", "--limit", "-1"}, 2, "--limit must be from 1 to 100000"},
		{[]string{"sign-in", "list", "--outcome", "odd"}, 1, "outcome must be one of allow, step_up, refuse, failed"},
		{[]string{"user", "delete"}, 2, "takes one name or more"},
		{[]string{"client", "delete", "--yes", "nothing"}, 1, `there is no client "nothing"`},
		{[]string{"role", "give", "registrar"}, 2, "needs one of --"},
		{[]string{"grant", "list"}, 2, "needs one of --"},
		{[]string{"key", "revoke", "x"}, 2, "say --yes"},
		{[]string{"key", "reseal", "--url", o.issuer}, 2, "run it on the server's machine"},
		{[]string{"user", "list", "--url", o.issuer}, 1, "nobody signed in at " + o.issuer + " here: postern admin login --url " + o.issuer},
		{[]string{"user", "list", "--url", "http://auth.example.com"}, 2, "--url must be https"},
		{[]string{"login"}, 2, "--url is required"},
	} {
		code, out, errs := o.run(t, row.args...)
		if code != row.code || out != "" || !strings.Contains(errs, row.want) {
			t.Errorf("%v: exit %d\n%s%s", row.args, code, out, errs)
		}
	}
}

// apiToken is a token of a machine for the administration API.
func (o *bureau) apiToken(t *testing.T, scopes string) string {
	t.Helper()
	made := o.administer(t, "", "client", "create", "administrator", "--scope", scopes)
	robot := machine{made["client_id"], made["client_secret"]}
	return o.ask(t, "/token", altered(url.Values{}, "grant_type", "client_credentials", "resource", o.issuer+"/api/v1", "scope", strings.ReplaceAll(scopes, ",", " ")), "Authorization", basicAuth(robot)).told(t).Access
}

func TestAdminJSONIsTheAPIs(t *testing.T) {
	o := openBureau(t, "")
	token := o.apiToken(t, "postern:read,postern:users")
	file := write(t, filepath.Join(o.dir, "token"), token)
	for _, row := range []struct{ path, args string }{
		{"/users", "user list"}, {"/roles", "role list"}, {"/clients", "client list"}, {"/keys", "key list"}, {"/sessions", "session list"},
	} {
		req, err := http.NewRequest(http.MethodGet, o.issuer+"/api/v1"+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want := read(t, resp).expect(t, 200).body
		args := append(strings.Fields(row.args), "-o", "json")
		if got := o.fine(t, args...); got != want {
			t.Errorf("%s\n%s\nwant\n%s", row.args, got, want)
		}
		if got := o.fine(t, append(args, "--url", o.issuer, "--token-file", file)...); got != want {
			t.Errorf("remote %s\n%s\nwant\n%s", row.args, got, want)
		}
	}
	code, _, errs := o.run(t, "client", "delete", "--yes", "x", "--url", o.issuer, "--token-file", file)
	if code != 1 || !strings.Contains(errs, `there is no client "x"`) {
		t.Errorf("exit %d %s", code, errs)
	}
	code, _, errs = o.run(t, "key", "rotate", "--url", o.issuer, "--token-file", file)
	if code != 1 || !strings.Contains(errs, "lacks the scope postern:keys") {
		t.Errorf("exit %d %s", code, errs)
	}
}

// A list that is watched shows what changes, until it is interrupted.
func TestAdminWatch(t *testing.T) {
	o := openBureau(t, "")
	o.public = o.register(t, deskCallback, "refresh_token")
	watches := map[string]*process{}
	for list, first := range map[string]string{
		"user": "ada", "session": "No sessions.", "sign-in": "No sign-ins.", "grant": "No grants.",
	} {
		args := []string{"admin", "-c", o.config, list, "list", "--watch"}
		if list == "grant" {
			args = append(args, "--user", "ada")
		}
		watches[list] = start(t, binary, args...)
		shows(t, watches[list], first)
	}
	o.fine(t, "user", "create", "eve")
	o.code(t, o.public) // somebody signs in, and allows a client something
	for list, then := range map[string]string{"user": "eve", "session": "session_", "sign-in": "allow", "grant": "grant_"} {
		shows(t, watches[list], then)
	}
	for list, p := range watches {
		p.signal(syscall.SIGINT)
		if code := p.exit(t); code != 0 || strings.Contains(p.out.String(), "postern:") {
			t.Errorf("%s: exit %d\n%s", list, code, p.out.String())
		}
	}
	if n := strings.Count(watches["user"].out.String(), "FULL NAME"); n < 2 || n > 3 {
		t.Errorf("shown %d times:\n%s", n, watches["user"].out.String())
	}
}

func shows(t *testing.T, p *process, word string) {
	t.Helper()
	eventually(t, func() error {
		if text := p.out.String(); !strings.Contains(text, word) {
			return fmt.Errorf("no %s in\n%s", word, text)
		}
		return nil
	})
}

// The document is good OpenAPI to a validator nobody here wrote.
func TestOpenAPIDocumentIsValid(t *testing.T) {
	d := front.get(t)
	document := newWindow(t).get(t, d.issuer+"/api/v1/openapi.json").expect(t, 200).body
	var found struct {
		Valid         bool     `json:"valid"`
		Specification string   `json:"specification"`
		Problems      []string `json:"problems"`
		Operations    int      `json:"operations"`
		Error         string   `json:"error"`
	}
	ask(t, "openapi.mjs", map[string]any{"document": jsontext.Value(document)}, &found)
	if !found.Valid || found.Specification != "OpenAPI" || len(found.Problems) > 0 || found.Operations < 30 {
		t.Errorf("%+v", found)
	}
}

package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every row can be asked for, and everything a desk can do has its row.
func TestTableHolds(t *testing.T) {
	ids, places := map[string]bool{}, map[string]bool{}
	for _, o := range table {
		f := o.facts()
		place := f.method + " " + inBraces(f.path)
		if ids[f.id] || places[place] {
			t.Errorf("%s, %s: twice", f.id, place)
		}
		ids[f.id], places[place] = true, true
		if !Prefixed(f.scope) || f.summary == "" || f.status < 200 || f.status > 204 {
			t.Errorf("%s: %+v", f.id, f)
		}
		if f.method == http.MethodGet && f.body() {
			t.Errorf("%s: a GET with a body", f.id)
		}
		if (f.status == http.StatusNoContent) != (f.out == reflect.TypeFor[None]()) {
			t.Errorf("%s: %d with %v", f.id, f.status, f.out)
		}
		checkParameters(t, f)
	}
	if n := reflect.TypeFor[Desk]().NumMethod(); n != len(table) {
		t.Errorf("a desk does %d things, and %d can be asked for", n, len(table))
	}
}

func inBraces(path string) string {
	var parts []string
	for p := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(p, "{") {
			p = "{}"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, "/")
}

func checkParameters(t *testing.T, f facts) {
	t.Helper()
	for _, s := range f.segments() {
		if name, variable := strings.CutPrefix(s, "{"); variable && !hasParameter(f.in, "path", strings.TrimSuffix(name, "}")) {
			t.Errorf("%s: nothing takes %s", f.id, s)
		}
	}
	for _, p := range parameters(f.in) {
		if p.in == "path" && !strings.Contains(f.path, "{"+p.name+"}") {
			t.Errorf("%s: %s stands nowhere", f.id, p.name)
		}
		if p.in != "path" && limit(p.field, "max") == 0 && p.field.Type.Kind() == reflect.String && p.field.Tag.Get("enum") == "" {
			t.Errorf("%s: %s has no bound", f.id, p.name)
		}
		v := reflect.New(p.field.Type).Elem()
		if err := set(v, "true"); err != nil && !errors.Is(err, errNumber) {
			t.Errorf("%s: %s cannot be read: %v", f.id, p.name, err)
		}
	}
}

func TestPathsAreFound(t *testing.T) {
	for _, row := range []struct{ method, path, id, allow string }{
		{"GET", "users", "listUsers", ""},
		{"HEAD", "users", "listUsers", ""},
		{"POST", "clients/register", "registerClient", ""},
		{"GET", "clients/register", "getClient", ""},
		{"DELETE", "clients/https://a.example/c.json", "", ""},
		{"PUT", "users", "", "GET, POST"},
		{"DELETE", "users/a/b/c", "", ""},
		{"GET", "users/", "", ""},
		{"GET", "", "", ""},
	} {
		w := &heard{header: http.Header{}}
		o, _, err := find(w, row.method, strings.Split(row.path, "/"))
		got := ""
		if err == nil {
			got = o.facts().id
		}
		if got != row.id || w.header.Get("Allow") != row.allow || (err == nil) != (row.id != "") {
			t.Errorf("%s %s: %s %v %v", row.method, row.path, got, err, w.header)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		given, tag string
		ok         bool
	}{{"", `"a"`, true}, {"*", `"a"`, true}, {`"a"`, `"a"`, true}, {`"b", "a"`, `"a"`, true}, {`"b"`, `"a"`, false}, {`W/"a"`, `"a"`, false}, {"a", `"a"`, false}} {
		if err := Matches(row.given, row.tag); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.given, err)
		}
	}
	if (User{ID: "1"}).Tag() != (User{ID: "1", SignedInAt: time.Unix(1, 0)}).Tag() {
		t.Error("a sign-in changes what administrators can change")
	}
	a, b := User{ID: "1"}, User{ID: "1", Roles: []HeldRole{{Role: "admin"}}}
	if a.Tag() == b.Tag() || a.Tag() != a.Tag() || (Client{}).Tag() == (Client{Name: "x"}).Tag() {
		t.Error("tags do not tell apart what differs")
	}
}

func TestCut(t *testing.T) {
	place := func(s string) []string { return []string{s, "x"} }
	whole := Cut([]string{"a", "b"}, 2, place)
	if whole.Next != "" || len(whole.Items) != 2 {
		t.Errorf("%+v", whole)
	}
	cut := Cut([]string{"a", "b", "c"}, 2, place)
	at, err := Paging{After: cut.Next}.Place(2)
	if err != nil || len(cut.Items) != 2 || at[0] != "b" || at[1] != "x" {
		t.Errorf("%+v %v %v", cut, at, err)
	}
	for _, bad := range []string{"!", "YQ", cut.Next + "A"} {
		if _, err := (Paging{After: bad}).Place(3); ReasonOf(err) != BadParameter {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// broken is a desk that fails at one thing, and a gate that lets in.
type broken struct {
	Desk
	err error
}

func (b broken) Status(context.Context, Actor, None) (Status, error) { return Status{}, b.err }

func (b broken) Admit(http.ResponseWriter, *http.Request, string) (Actor, error) {
	return Operator(), nil
}

func (b broken) Passing(err error) Reason {
	if errors.Is(err, context.DeadlineExceeded) {
		return Unavailable
	}
	return ""
}

func (b broken) Refused(*http.Request, Reason) {}

// What fails is told to the log, and to the caller only that it did.
func TestFailuresAreNotExplained(t *testing.T) {
	var log strings.Builder
	desk := broken{err: errors.New("the password of the database is x")}
	api, err := New("https://as.example", desk, desk, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Call(t.Context(), Caller{Base: "https://as.example" + Prefix, Via: Inside{api}}, GetStatus, None{})
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != 500 || p.Reason != InternalError || strings.Contains(p.Detail, "password") {
		t.Errorf("%+v", err)
	}
	if !strings.Contains(log.String(), "the password of the database") || !strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
	desk.err = context.DeadlineExceeded
	api.desk = desk
	w := &heard{header: http.Header{}}
	r, err := http.NewRequest(http.MethodGet, "https://as.example"+Prefix+"/status", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	api.ServeHTTP(w, r)
	if w.status != 503 || w.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", w.status, w.header)
	}
}

// Every kind of problem has words of its own, and a fix.
func TestProblems(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range problems {
		p := problemOf(&Error{Reason: k.reason}, "https://as.example/api/v1")
		if p.Status != k.status || p.Detail == "" || seen[p.Title] || p.Type != "https://as.example/api/v1/docs#"+string(k.reason) {
			t.Errorf("%+v", p)
		}
		seen[p.Title] = true
	}
	if p := problemOf(&Error{Reason: "made up"}, ""); p.Status != 500 {
		t.Errorf("%+v", p)
	}
}

// Every operation has its place on the page, once, and so has every address
// that the page or a problem leads to.
func TestPageNamesEveryOperationOnce(t *testing.T) {
	text, err := render("https://as.example" + Prefix)
	if err != nil {
		t.Fatal(err)
	}
	page, ids := string(text), map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		ids[m[1]]++
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] == 0 {
			t.Errorf("#%s leads nowhere", m[1])
		}
	}
	for _, o := range table {
		if id := o.facts().id; !strings.Contains(page, `<details id="`+id+`">`) {
			t.Errorf("the page does not have %s", id)
		}
	}
	for _, k := range problems {
		if ids[string(k.reason)] != 1 {
			t.Errorf("%s: %d", k.reason, ids[string(k.reason)])
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
}

// The page says of each value what it is: of objects their members.
func TestPageSaysWhatValuesAre(t *testing.T) {
	for _, row := range []struct {
		in   reflect.Type
		name string
		want string
	}{
		{reflect.TypeFor[User](), "Roles", "list of {role, source}"},
		{reflect.TypeFor[User](), "Factors", "list of string: totp | recovery_codes | passkey"},
		{reflect.TypeFor[User](), "DisabledAt", "date-time, may be absent"},
		{reflect.TypeFor[UserChange](), "Disabled", "boolean, may be absent"},
		{reflect.TypeFor[ClientChange](), "Scopes", "list of string, may be absent"},
		{reflect.TypeFor[Status](), "Key", "{kid, alg, state, signs_from, until}"},
		{reflect.TypeFor[Link](), "URL", "uri"},
		{reflect.TypeFor[Registration](), "Metadata", "object"},
		{reflect.TypeFor[UserQuery](), "Limit", "integer"},
	} {
		f, _ := row.in.FieldByName(row.name)
		if got := kindWords(f); got != row.want {
			t.Errorf("%v.%s: %s, want %s", row.in, row.name, got, row.want)
		}
	}
}

package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const database = `
apiVersion: postern.dev/v1
kind: ToolPolicy
server: externaldb
scopes:
  db:read: {description: "Read tables", default: true}
  db:write: {implies: [db:read]}
  db:admin: {description: Everything, risk: high, implies: [db:write]}
tools:
  query: {scopes: [db:read]}
  copy: {scopes: [db:read, db:write]}
  execute: {scopes: [db:write], list: step_up}
  drop: {scopes: [db:admin]}
  ping: {}
resources:
  "db://schema/**": {scopes: [db:read]}
  "db://schema/private/**": {scopes: [db:admin]}
  "db://schema/private/readme": {}
  "db://rows/*/name": {scopes: [db:write]}
  "db://rows/*/size": {}
  "db://find?q=*": {}
  "db://größe/**": {scopes: [db:admin]}
prompts:
  summary: {scopes: [db:read], list: step_up}
`

func parse(t testing.TB, src string) *Policy {
	t.Helper()
	p, err := Parse("policy.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type truth struct {
	kind     Kind
	name     string
	held     string
	effect   Effect
	required string
	missing  string
}

func yes(kind Kind, name, held, required string) truth {
	return truth{kind, name, held, Allow, required, ""}
}

func unknown(kind Kind, name, held string) truth {
	return truth{kind, name, held, Deny, "", ""}
}

func no(kind Kind, name, held, required, missing string) truth {
	return truth{kind, name, held, StepUp, required, missing}
}

func TestDecide(t *testing.T) {
	table := []truth{
		yes(Tool, "query", "db:read", "db:read"),
		yes(Tool, "query", "x db:read y", "db:read"),
		yes(Tool, "query", "db:write", "db:read"),
		yes(Tool, "query", "db:admin", "db:read"),
		no(Tool, "query", "", "db:read", "db:read"),
		no(Tool, "query", "db:READ", "db:read", "db:read"),
		no(Tool, "query", "db", "db:read", "db:read"),
		no(Tool, "query", "db:read:x", "db:read", "db:read"),
		yes(Tool, "copy", "db:write", "db:read db:write"),
		no(Tool, "copy", "db:read", "db:read db:write", "db:write"),
		no(Tool, "copy", "", "db:read db:write", "db:read db:write"),
		no(Tool, "execute", "db:read", "db:write", "db:write"),
		yes(Tool, "execute", "db:admin", "db:write"),
		no(Tool, "drop", "db:read db:write", "db:admin", "db:admin"),
		yes(Tool, "ping", "", ""),
		yes(Tool, "ping", "anything", ""),

		unknown(Tool, "Query", "db:admin"),
		unknown(Tool, "query ", "db:admin"),
		unknown(Tool, "query\x00", "db:admin"),
		unknown(Tool, "", "db:admin"),
		unknown(Tool, "*", "db:admin"),
		unknown(Tool, "summary", "db:admin"),
		unknown(Prompt, "query", "db:admin"),
		unknown("", "query", "db:admin"),
		unknown("TOOL", "query", "db:admin"),
		yes(Prompt, "summary", "db:read", "db:read"),
		no(Prompt, "summary", "", "db:read", "db:read"),

		yes(Resource, "db://schema/users", "db:read", "db:read"),
		yes(Resource, "db://schema/", "db:read", "db:read"),
		yes(Resource, "db://schema/a/b/c", "db:read", "db:read"),
		no(Resource, "db://schema/private/x", "db:read", "db:admin", "db:admin"),
		no(Resource, "db://schema/private/", "db:read", "db:admin", "db:admin"),
		yes(Resource, "db://schema/private/readme", "", ""),
		no(Resource, "db://schema/privately", "", "db:read", "db:read"),
		yes(Resource, "db://rows/7/name", "db:write", "db:write"),
		yes(Resource, "db://rows/7/size", "", ""),
		unknown(Resource, "db://rows//name", "db:admin"),
		unknown(Resource, "db://rows/7/8/name", "db:admin"),
		unknown(Resource, "db://rows/7?/name", "db:admin"),
		unknown(Resource, "db://rows/7/named", "db:admin"),
		yes(Resource, "db://find?q=x", "", ""),
		unknown(Resource, "db://find?q=", "db:admin"),
		unknown(Resource, "db://find?q=a/b", "db:admin"),
		unknown(Resource, "db://schema", "db:admin"),
		unknown(Resource, "db://schema/users?x=1", "db:admin"),
		unknown(Resource, "DB://schema/users", "db:admin"),
		unknown(Resource, "", "db:admin"),

		// One thing, one spelling: no way around the narrower rule.
		no(Resource, "db://größe/x", "", "db:admin", "db:admin"),
		no(Resource, "db://gr%C3%B6%C3%9Fe/x", "", "db:admin", "db:admin"),
		no(Resource, "db://gr%c3%b6ße/x", "", "db:admin", "db:admin"),
		unknown(Resource, "db://schema/../schema/private/x", "db:admin"),
		unknown(Resource, "db://schema/./private/x", "db:admin"),
		unknown(Resource, "db://schema/x/..", "db:admin"),
		unknown(Resource, "db://schema/..;a/x", "db:admin"),
		unknown(Resource, "db://schema//private/x", "db:admin"),
		unknown(Resource, "db://schema/%70rivate/x", "db:admin"),
		unknown(Resource, "db://schema/%2e%2e/x", "db:admin"),
		unknown(Resource, "db://schema/x%2Fy", "db:admin"),
		unknown(Resource, "db://schema/x%2fy", "db:admin"),
		unknown(Resource, "db://schema/x%5cy", "db:admin"),
		unknown(Resource, "db://schema/x%00", "db:admin"),
		unknown(Resource, "db://schema/x%252Fy", "db:admin"),
		unknown(Resource, "db://schema/x%", "db:admin"),
		unknown(Resource, "db://schema/x%2", "db:admin"),
		unknown(Resource, "db://schema/x%zz", "db:admin"),
		unknown(Resource, "db://schema/x\\y", "db:admin"),
		unknown(Resource, "db://schema/x\ny", "db:admin"),
		unknown(Resource, "db://schema/x y", "db:admin"),
		unknown(Resource, "db://schema/x\x7f", "db:admin"),
		unknown(Resource, "db://schema/x#y", "db:admin"),
		unknown(Resource, "db://schema/\xff", "db:admin"),
		unknown(Resource, "db://schema/"+strings.Repeat("a", maxURI), "db:admin"),
	}
	p := parse(t, database)
	for _, row := range table {
		got := p.Decide(Request{row.kind, row.name, strings.Fields(row.held)})
		want := Decision{row.effect, strings.Fields(row.required), strings.Fields(row.missing)}
		if !same(got, want) {
			t.Errorf("%s %q holding %q: got %+v, want %+v", row.kind, row.name, row.held, got, want)
		}
	}
}

func same(a, b Decision) bool {
	return a.Effect == b.Effect && slices.Equal(a.Required, b.Required) && slices.Equal(a.Missing, b.Missing)
}

func TestDecideAll(t *testing.T) {
	p := parse(t, database)
	table := []struct{ names, held, effect, required, missing string }{
		{"query", "db:read", "allow", "db:read", ""},
		{"query copy ping", "db:write", "allow", "db:read db:write", ""},
		{"ping query copy drop", "db:read", "step_up", "db:read db:write db:admin", "db:write db:admin"},
		{"query nothing", "db:admin", "deny", "", ""},
		{"nothing query", "db:admin", "deny", "", ""},
		{"", "db:admin", "deny", "", ""},
	}
	for _, row := range table {
		got := p.DecideAll(Tool, strings.Fields(row.names), strings.Fields(row.held))
		if want := (Decision{Effect(row.effect), strings.Fields(row.required), strings.Fields(row.missing)}); !same(got, want) {
			t.Errorf("%s holding %q: got %+v, want %+v", row.names, row.held, got, want)
		}
	}
}

func TestZeroDecisionDenies(t *testing.T) {
	if (Decision{}).Effect == Allow {
		t.Error("the zero Decision allows")
	}
}

func TestDecisionIsACopy(t *testing.T) {
	p := parse(t, database)
	request := Request{Tool, "query", nil}
	p.Decide(request).Required[0] = "changed"
	p.Scopes()[0].Implies[0] = "changed"
	if got := p.Decide(request).Required[0]; got != "db:read" {
		t.Errorf("a caller changed the policy: %q", got)
	}
	if got := p.Scopes()[0].Implies[0]; got != "db:write" {
		t.Errorf("a caller changed the catalogue: %q", got)
	}
}

func TestLists(t *testing.T) {
	p := parse(t, database)
	everything := parse(t, strings.Replace(database, "server:", "list: step_up\nserver:", 1))
	table := []struct {
		policy *Policy
		kind   Kind
		name   string
		held   string
		want   bool
	}{
		{p, Tool, "query", "db:read", true},
		{p, Tool, "query", "", false},
		{p, Tool, "execute", "", true},
		{p, Tool, "ping", "", true},
		{p, Tool, "drop", "db:read", false},
		{p, Tool, "nothing", "db:admin", false},
		{p, Prompt, "summary", "", true},
		{p, Resource, "db://schema/x", "", false},
		{p, Resource, "db://schema/x", "db:write", true},
		{everything, Tool, "drop", "", true},
		{everything, Tool, "nothing", "db:admin", false},
		{everything, Resource, "db://schema/../x", "db:admin", false},
	}
	for _, row := range table {
		if got := row.policy.Lists(Request{row.kind, row.name, strings.Fields(row.held)}); got != row.want {
			t.Errorf("%s %q holding %q: listed is %v", row.kind, row.name, row.held, got)
		}
	}
}

func TestListsTemplate(t *testing.T) {
	p := parse(t, database)
	table := []struct {
		template string
		held     string
		want     bool
	}{
		{"db://schema/{table}", "db:read", true},
		{"db://schema/{table}", "", true}, // db://schema/private/readme is open to all
		{"db://schema/private/{x}", "db:read", true},
		{"db://schema/private/r{x}", "", true},
		{"db://schema/private/x{x}", "", false},
		{"db://schema/private/x{x}", "db:admin", true},
		{"db://rows/{id}/name", "", true}, // judged by its first text only
		{"db://gr%c3%b6ße/{x}", "", false},
		{"db://gr%c3%b6ße/{x}", "db:admin", true},
		{"db://other/{x}", "db:admin", false},
		{"{x}", "", true},
		{"db://rows/7/size", "", true},
		{"db://rows/7/name", "", false},
		{"db://nothing", "db:admin", false},
	}
	for _, row := range table {
		if got := p.ListsTemplate(row.template, strings.Fields(row.held)); got != row.want {
			t.Errorf("%q holding %q: listed is %v", row.template, row.held, got)
		}
	}
}

func TestScopes(t *testing.T) {
	p := parse(t, database)
	got := fmt.Sprint(p.Scopes())
	want := "[{db:admin Everything [db:write] false high} {db:read Read tables [] true } {db:write  [db:read] false }]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	free := parse(t, head+"tools: {a: {scopes: [z, y]}}\nprompts: {b: {scopes: [x]}}\n")
	if got := fmt.Sprint(free.Scopes()); got != "[{x  [] false } {y  [] false } {z  [] false }]" {
		t.Errorf("undeclared scopes: %s", got)
	}
}

func TestServerAndVersion(t *testing.T) {
	p := parse(t, database)
	if p.Server() != "externaldb" {
		t.Errorf("server %q", p.Server())
	}
	other := parse(t, database+"\n")
	if len(p.Version()) != 12 || p.Version() == other.Version() || p.Version() != parse(t, database).Version() {
		t.Errorf("versions %q and %q", p.Version(), other.Version())
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		var src strings.Builder
		src.WriteString(head + "scopes: {a: {}, b: {implies: [a]}}\ntools:\n")
		for i := range n {
			fmt.Fprintf(&src, "  tool%d: {scopes: [a]}\n", i)
		}
		src.WriteString("resources:\n")
		for i := range n {
			fmt.Fprintf(&src, "  \"db://table%d/**\": {scopes: [a]}\n", i)
		}
		p := parse(b, src.String())
		for _, r := range []Request{{Tool, "tool7", []string{"x", "b"}}, {Resource, "db://table7/a/b", []string{"x", "b"}}} {
			b.Run(fmt.Sprintf("%s/%d", r.Kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if p.Decide(r).Effect != Allow {
						b.Fatal("denied")
					}
				}
			})
		}
	}
}

package authserver

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the tables of docs/operations.md anew")

const operationsPage = "../docs/operations.md"

// source is what the package's own text puts on record.
type source struct {
	literals map[string]bool // every text in it
	events   map[string]bool // those in calls that record
	members  map[string]bool
	logged   map[string]bool // what is in the log only
}

// eventAt is the place of the event among the arguments of what records.
var eventAt = map[string]int{"audit": 1, "note": 2, "report": 2, "Report": 2, "reportAsOperator": 1, "record": 1}

// loggedAt is the place of the message among those of a logger.
var loggedAt = map[string]int{"Info": 0, "Warn": 0, "Error": 0, "InfoContext": 1, "ErrorContext": 1}

func readSource(t *testing.T) source {
	t.Helper()
	all := source{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob("keyring/*.go")
	if err != nil || len(keys) == 0 {
		t.Fatal(err)
	}
	for _, name := range append(files, keys...) {
		if strings.HasSuffix(name, "_test.go") || name == "events.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := literal(n); ok {
				all.literals[text] = true
			}
			if call, ok := n.(*ast.CallExpr); ok {
				all.read(call)
			}
			return true
		})
	}
	return all
}

func (all source) read(call *ast.CallExpr) {
	if to, ok := call.Fun.(*ast.Ident); ok && to.Name == "append" && len(call.Args) > 1 {
		if of, ok := call.Args[0].(*ast.Ident); ok && of.Name == "fields" {
			all.pairs(call.Args[1:])
		}
		return
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	if at, ok := loggedAt[method.Sel.Name]; ok && len(call.Args) > at {
		if text, ok := literal(call.Args[at]); ok {
			all.logged[text] = true
		}
		return
	}
	at, ok := eventAt[method.Sel.Name]
	if !ok || len(call.Args) <= at {
		return
	}
	if text, ok := literal(call.Args[at]); ok {
		all.events[text] = true
	}
	all.pairs(call.Args[at+1:])
}

// pairs reads names and values in turn, and lists of them put together.
func (all source) pairs(args []ast.Expr) {
	for i := 0; i < len(args); i++ {
		if text, ok := literal(args[i]); ok {
			all.members[text] = true
			i++
			continue
		}
		if made, ok := args[i].(*ast.CallExpr); ok && len(made.Args) > 0 {
			if list, ok := made.Args[0].(*ast.CompositeLit); ok {
				all.pairs(list.Elts)
			}
		}
	}
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// The list of events is closed: what is put on record stands in it, with members
// that are explained, and nothing stands in it that is never put on record.
func TestEventsAreOneClosedList(t *testing.T) {
	is := readSource(t)
	if len(is.events) < 50 || len(is.members) < 40 {
		t.Fatalf("only %d events and %d members were found", len(is.events), len(is.members))
	}
	for name := range is.events {
		if _, listed := happenings[event(name)]; !listed {
			t.Errorf("%s is put on record and does not stand in events.go", name)
		}
	}
	for name := range happenings {
		if !is.literals[string(name)] {
			t.Errorf("%s stands in events.go, and nothing puts it on record", name)
		}
	}
	delete(is.members, inLogOnly)
	for name := range is.members {
		if members[name] == "" {
			t.Errorf("the member %s is not explained in events.go", name)
		}
	}
	for name := range members {
		if !is.members[name] && !is.literals[name] && !strings.HasPrefix(name, "changed_") && name != "disabled" {
			t.Errorf("nothing has the member %s", name)
		}
	}
}

// collected is a registerer that only looks.
type collected struct{ all []string }

func (c *collected) Register(of prometheus.Collector) error { c.MustRegister(of); return nil }

func (c *collected) Unregister(prometheus.Collector) bool { return false }

func (c *collected) MustRegister(list ...prometheus.Collector) {
	for _, of := range list {
		described := make(chan *prometheus.Desc, 1)
		of.Describe(described)
		c.all = append(c.all, (<-described).String())
	}
}

var descOf = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)", (?:unit: "[^"]*", )?constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// metricRows are the rows of the table, each metric once.
func metricRows(t *testing.T) map[string]string {
	t.Helper()
	g, seen := newRig(t), &collected{}
	g.s.expose(seen)
	rows := map[string]string{}
	for _, text := range seen.all {
		m := descOf.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("cannot read %s", text)
		}
		labels := strings.ReplaceAll(m[4], ",", ", ")
		if constant, _, ok := strings.Cut(m[3], "="); ok {
			labels = constant
		}
		rows[m[1]] = fmt.Sprintf("| `%s` | %s | %s |\n", m[1], labels, m[2])
	}
	return rows
}

// The page for operators lists every event, member and metric from the tables in
// the code, and names no other metric.
func TestOperationsPage(t *testing.T) {
	var happened, said, counted strings.Builder
	for _, name := range slices.Sorted(maps.Keys(happenings)) {
		d := cmp.Or(string(happenings[name].decision), "as judged")
		fmt.Fprintf(&happened, "| `%s` | %s | %s |\n", name, d, happenings[name].text)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		fmt.Fprintf(&said, "| `%s` | %s |\n", name, members[name])
	}
	rows := metricRows(t)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		counted.WriteString(rows[name])
	}
	got, err := os.ReadFile(operationsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(got)
	for head, table := range map[string]string{
		"| event | decision | what happened |\n|---|---|---|\n": happened.String(),
		"| member | meaning |\n|---|---|\n":                     said.String(),
		"| metric | labels | what it counts |\n|---|---|---|\n": counted.String(),
	} {
		page = replaceTable(t, page, head, table)
	}
	if *update {
		if err := os.WriteFile(operationsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !*update && page != string(got) {
		t.Errorf("%s is not what the tables say: run this test with -update", operationsPage)
	}
	for _, name := range regexp.MustCompile(metricPrefix+`[a-z_]+`).FindAllString(page, -1) {
		if rows[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")] == "" {
			t.Errorf("the page names %s, which is not there", name)
		}
	}
	for name := range readSource(t).logged {
		if strings.Contains(name, ".") && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page does not name %s, which is in the log", name)
		}
	}
}

// replaceTable puts rows below the head of a table, instead of those there.
func replaceTable(t *testing.T, page, head, rows string) string {
	t.Helper()
	before, after, ok := strings.Cut(page, head)
	if !ok {
		t.Fatalf("%s has no table %q", operationsPage, head)
	}
	for strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	return before + head + rows + after
}

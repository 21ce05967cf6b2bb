package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

const suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"

// conformanceRow is one run of the suite, once without the proxy and once for
// each way to present a token.
type conformanceRow struct {
	revision  string
	stateless bool // mode of the server
	fits      bool // the suite itself says that the server conforms
}

// The server conforms to each revision in one of its modes. Without sessions it
// fails some checks of 2025-11-25: those must fail through the proxy too.
var conformanceRows = []conformanceRow{
	{legacy, false, true},
	{modern, true, true},
	{legacy, true, false},
}

func (r conformanceRow) name() string {
	mode := "sessions"
	if r.stateless {
		mode = "stateless"
	}
	return r.revision + "-" + mode
}

// schemes are the ways to present a token, and what the proxy demands then.
var schemes = map[string]string{"bearer": "accepted", "dpop": "required"}

// TestConformanceIsTheSameThroughTheProxy runs the official suite against the
// official server, and again with the proxy between, and compares every check
// of every scenario.
func TestConformanceIsTheSameThroughTheProxy(t *testing.T) {
	var servers []staged
	for _, row := range conformanceRows {
		for scheme, mode := range schemes {
			servers = append(servers, staged{row.name() + "-" + scheme, startOfficial(t, row.stateless).url(), mode})
		}
	}
	s := setStage(t, servers)
	s.open(t)
	client := s.machine(t)
	for _, row := range conformanceRows {
		t.Run(row.name(), func(t *testing.T) {
			t.Parallel()
			direct := row.run(t, startOfficial(t, row.stateless).url(), nil)
			direct.check(t, row)
			for _, scheme := range slices.Sorted(maps.Keys(schemes)) {
				resource := s.resource(row.name() + "-" + scheme)
				through := row.run(t, resource, &suiteCaller{resource, s.issuer + "/token", client, scheme == "dpop"})
				direct.compare(t, through)
				requests := s.audited(t, row.name()+"-"+scheme, scheme)
				t.Logf("%s, %s tokens: %s; %d requests let through, differences: %d", row.name(), scheme, through, requests, direct.differences(through))
			}
		})
	}
}

// suiteCaller is the input of conformance-caller.mjs.
type suiteCaller struct {
	Resource      string  `json:"resource"`
	TokenEndpoint string  `json:"token_endpoint"`
	Client        machine `json:"client"`
	Bound         bool    `json:"bound"`
}

// suiteResult is what the suite found.
type suiteResult struct {
	passed bool                // by its own judgement: extensions and pending scenarios do not count
	checks map[string][]string // by scenario, sorted
	errors map[string]string   // what the suite says of failures, by scenario
	output string
}

// check is one check of a scenario, as the suite stores it.
type check struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Error  string `json:"errorMessage"`
}

// run runs the scenarios that a revision requires.
func (r conformanceRow) run(t *testing.T, url string, caller *suiteCaller) suiteResult {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node(t), suite, "server", "--url", url, "--requirements", r.revision, "-o", dir)
	cmd.Dir = "peers"
	cmd.Env = os.Environ()
	if caller != nil {
		cmd.Env = append(cmd.Env, caller.environment(t)...)
	}
	out, err := cmd.CombinedOutput()
	result := suiteResult{passed: err == nil, checks: map[string][]string{}, errors: map[string]string{}, output: string(out)}
	result.read(t, dir)
	if n := strings.Count(result.output, "=== Running scenario:"); n == 0 || n != len(result.checks) {
		t.Fatalf("%d scenarios ran, %d left results\n%s", n, len(result.checks), out)
	}
	return result
}

func (c suiteCaller) environment(t *testing.T) []string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	preload, err := filepath.Abs("peers/conformance-caller.mjs")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"NODE_OPTIONS=--import=file://" + preload, "POSTERN_CALLER=" + string(text)}
}

// folder is where the suite leaves the checks of one scenario.
var folder = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$`)

func (r suiteResult) read(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		scenario := folder.FindStringSubmatch(entry.Name())
		if scenario == nil {
			t.Fatalf("the suite left %s", entry.Name())
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name(), "checks.json"))
		if err != nil {
			t.Fatalf("%v\n%s", err, r.output)
		}
		var checks []check
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatal(err)
		}
		r.add(scenario[1], checks)
	}
}

func (r suiteResult) add(scenario string, checks []check) {
	for _, c := range checks {
		r.checks[scenario] = append(r.checks[scenario], c.Status+" "+c.ID+" "+c.Name)
		if c.Error != "" {
			r.errors[scenario] += c.ID + ": " + c.Error + "\n"
		}
	}
	slices.Sort(r.checks[scenario])
}

// check makes sure that the comparison rests on a server that conforms.
func (r suiteResult) check(t *testing.T, row conformanceRow) {
	t.Helper()
	if r.passed != row.fits {
		t.Errorf("the server alone conforms: %v, want %v\n%s", r.passed, row.fits, r.output)
	}
}

// compare names every check that differs.
func (r suiteResult) compare(t *testing.T, through suiteResult) {
	t.Helper()
	for _, scenario := range slices.Sorted(maps.Keys(r.checks)) {
		got, want := through.checks[scenario], r.checks[scenario]
		if !slices.Equal(got, want) {
			t.Errorf("%s differs\nonly through the proxy %q\nonly without it        %q\n%s", scenario,
				without(got, want), without(want, got), through.errors[scenario])
		}
	}
	if len(through.checks) != len(r.checks) || through.passed != r.passed {
		t.Errorf("%d scenarios, passed: %v; without the proxy %d, %v", len(through.checks), through.passed, len(r.checks), r.passed)
	}
}

// differences counts the checks of either side that the other has not.
func (r suiteResult) differences(through suiteResult) (n int) {
	for scenario, want := range r.checks {
		got := through.checks[scenario]
		n += len(without(got, want)) + len(without(want, got))
	}
	return n
}

// without is what all has more of than others.
func without(all, others []string) (more []string) {
	left := slices.Clone(others)
	for _, line := range all {
		if at := slices.Index(left, line); at >= 0 {
			left = slices.Delete(left, at, at+1)
			continue
		}
		more = append(more, line)
	}
	return more
}

// String counts: scenarios, checks, and the checks by status.
func (r suiteResult) String() string {
	total, statuses := 0, map[string]int{}
	for _, checks := range r.checks {
		for _, line := range checks {
			status, _, _ := strings.Cut(line, " ")
			statuses[status]++
			total++
		}
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		parts = append(parts, fmt.Sprintf("%d %s", statuses[status], status))
	}
	return fmt.Sprintf("%d scenarios, %d checks (%s)", len(r.checks), total, strings.Join(parts, ", "))
}

// Command tested reads `go test -json` on stdin, prints what a person wants to
// know of it, and fails when a test failed, was skipped, or, though named in
// the table of known attacks, did not run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ./... | tested PAGE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(page string, in io.Reader, out io.Writer) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	r := report{out: out, passed: map[string]bool{}, said: map[string][]string{}}
	if err := r.read(in); err != nil {
		return err
	}
	named := attackTests(string(text))
	if len(named) == 0 {
		return fmt.Errorf("%s names no tests", page)
	}
	complete := len(r.faults) == 0 // a package that fails leaves tests out
	for _, name := range named {
		if complete && !r.passed[name] {
			r.faults = append(r.faults, name+" is named in "+page+" and did not pass")
		}
	}
	if len(r.faults) > 0 {
		slices.Sort(r.faults)
		return errors.New("\n" + strings.Join(r.faults, "\n"))
	}
	fmt.Fprintf(out, "%d tests passed, none was skipped; all %d that %s names ran\n", len(r.passed), len(named), page)
	return nil
}

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// report gathers what happened to each test, named as the page names them.
type report struct {
	out    io.Writer
	passed map[string]bool
	said   map[string][]string // output of what has not ended yet
	faults []string
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil { // not of the test binary: the go command itself speaks
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	name := short(e.Package) + "." + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			name = e.Package + e.ImportPath
		}
		r.said[name] = append(r.said[name], e.Output)
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(r.out, "ok   %s %s\n", short(e.Package), time.Duration(e.Elapsed*1e9).Round(100*time.Millisecond))
		} else {
			r.passed[name] = true
		}
		delete(r.said, name)
	case "fail", "build-fail":
		if e.Test == "" {
			name = e.Package + e.ImportPath
		}
		r.faults = append(r.faults, "FAIL "+name)
		fmt.Fprintf(r.out, "FAIL %s\n%s\n", name, strings.Join(r.said[name], ""))
	case "skip":
		if e.Test != "" {
			r.faults = append(r.faults, name+" was skipped")
		}
	}
}

// short is how the page names a package: by its folder, and the tests over
// the running binaries without theirs.
func short(pkg string) string {
	folder := strings.TrimPrefix(pkg, "github.com/postern-mcp/postern/")
	if folder == "cmd/postern/e2e" {
		return "e2e"
	}
	return folder
}

// attackTests are the tests that the page's table of attacks names.
func attackTests(page string) (names []string) {
	_, attacks, _ := strings.Cut(page, "\n## Known attacks\n")
	for _, found := range regexp.MustCompile("`([a-z0-9/]+\\.(?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(attacks, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}

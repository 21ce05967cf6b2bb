package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPageNamesTestsThatExist: every row of docs/security.md that
// claims tests names at least one, and each is a test function of its package.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Z]\\w*)`")
	known := map[string]map[string]bool{} // by package
	rows := 0
	for _, row := range attackRows(string(page)) {
		rows++
		cells := strings.Split(strings.Trim(row, "|"), "|")
		named := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 4 || len(named) == 0 || len(named) != strings.Count(cells[3], "`")/2 {
			t.Errorf("this row does not name its tests: %s", row)
			continue
		}
		for _, n := range named {
			if known[n[1]] == nil {
				known[n[1]] = testFunctions(t, n[1])
			}
			if !known[n[1]][n[2]] {
				t.Errorf("there is no test %s in package %s", n[2], n[1])
			}
		}
	}
	if rows < 50 {
		t.Errorf("the page has %d attacks: the table was not found whole", rows)
	}
}

// attackRows are the rows of the tables under "Known attacks", without their heads.
func attackRows(page string) (rows []string) {
	_, attacks, _ := strings.Cut(page, "\n## Known attacks\n")
	for line := range strings.Lines(attacks) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|---") && !strings.HasPrefix(line, "| the mistake |") {
			rows = append(rows, line)
		}
	}
	return rows
}

// testFunctions are those of a package, named by its folder; e2e is this one.
func testFunctions(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../..", folder, "*_test.go"))
	if folder == "e2e" {
		files, err = filepath.Glob("*_test.go")
	}
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

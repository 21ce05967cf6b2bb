package proxy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/proxy/mcp"
)

var update = flag.Bool("update", false, "write docs/reasons.md anew")

const reasonsHead = `# Every reason of a refusal

What stands as ` + "`reason`" + ` in the audit line, the metric and the error data, with what
the caller is told. The error data of ` + "`name_unknown`" + ` leaves it out: a forbidden name
reads like one that does not exist. Written from the tables in the code by
` + "`go test ./proxy -run TestReasonsPage -update`" + `.

| reason | status | error | the caller is told |
|---|---|---|---|
`

// The page for operators says what the tables say.
func TestReasonsPage(t *testing.T) {
	rows := map[string]string{}
	for why, row := range refusals {
		rows[string(why)] = reasonRow(string(why), row.status, row.oauth, row.public)
	}
	delete(rows, string(reasonBody)) // refined by those of package mcp
	for why, row := range mcp.Reasons() {
		rows[why] = reasonRow(why, row.Status, "", row.Public)
	}
	var page strings.Builder
	page.WriteString(reasonsHead)
	for _, why := range slices.Sorted(maps.Keys(rows)) {
		page.WriteString(rows[why])
	}
	const file = "../docs/reasons.md"
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != page.String() {
		t.Errorf("%s is not what the tables say (%v): run this test with -update", file, err)
	}
}

func reasonRow(why string, status int, oauth, public string) string {
	if oauth != "" {
		oauth = "`" + oauth + "`"
	}
	if why == string(reasonUnknownName) {
		public = "Unknown tool, prompt or resource, with its name (`-32602`)"
	}
	return fmt.Sprintf("| `%s` | %d | %s | %s |\n", why, status, oauth, strings.ReplaceAll(public, "|", "\\|"))
}

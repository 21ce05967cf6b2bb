package proxy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// Every line is one JSON object whose members the page for operators names,
// whatever stands in the values.
func TestAuditLine(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	odd := "a\"b\\c\n\r\x00\x1b\xff\u2028é"
	full := event{
		Time: time.Unix(1_800_000_000, 5), RequestID: "r", Server: odd, Decision: "allow", Stage: stageForward, Reason: "x",
		Status: 200, Upstream: 201, Millis: 1.5, HTTPMethod: odd, Method: odd, Kind: "tool", Name: odd, Issuer: odd, Subject: odd,
		ClientID: odd, TokenID: odd, Scope: []string{odd, "b"}, Scheme: "DPoP", Thumbprint: "t", Required: []string{"c"},
		PolicyVersion: "p", Peer: "::1", Unrecorded: 3,
	}
	text := string(full.line())
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
		t.Fatalf("not one line: %q", text)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if len(got) != 24 || got["name"] != strings.ToValidUTF8(odd, "\ufffd") || got["duration_ms"] != 1.5 || len(got["scope"].([]any)) != 2 {
		t.Errorf("%d members: %v", len(got), got)
	}
	for name := range got {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
	var least map[string]any
	if err := json.Unmarshal((&event{}).line(), &least); err != nil || len(least) != 6 {
		t.Errorf("%v, %v", least, err)
	}
}

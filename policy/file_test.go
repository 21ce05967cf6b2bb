package policy

import (
	"strings"
	"testing"
)

const head = "apiVersion: postern.dev/v1\nkind: ToolPolicy\nserver: s\n"

func TestParseProblems(t *testing.T) {
	table := map[string]struct{ src, want string }{
		"empty":              {"", "p.yaml:1:1: the file is empty"},
		"no head":            {"tools: {}\n", "p.yaml:1:1: apiVersion must be postern.dev/v1"},
		"version":            {"apiVersion: v2\nkind: ToolPolicy\nserver: s\n", "p.yaml:1:13: apiVersion must be postern.dev/v1"},
		"kind":               {"apiVersion: postern.dev/v1\nkind: toolpolicy\nserver: s\n", "p.yaml:2:7: kind must be ToolPolicy"},
		"server":             {"apiVersion: postern.dev/v1\nkind: ToolPolicy\n", "server is missing"},
		"unknown key":        {head + "tool: {}\n", `p.yaml:4:1: unknown key "tool": did you mean "tools"?`},
		"unknown rule key":   {head + "tools: {a: {scope: [x]}}\n", `p.yaml:4:13: unknown key "scope": did you mean "scopes"?`},
		"when":               {head + "tools: {a: {when: 'true'}}\n", `unknown key "when": known here: list, rate, scopes`},
		"approval":           {head + "tools: {a: {approval: {}}}\n", `unknown key "approval"`},
		"dpop":               {head + "tools: {a: {dpop: required}}\n", `unknown key "dpop"`},
		"no rule":            {head + "tools:\n  a:\n", `p.yaml:5:5: "a" has no value: write {} if that is meant`},
		"no scopes":          {head + "tools:\n  a:\n    scopes:\n", `"scopes" has no value: write [] if that is meant`},
		"odd rate":           {head + "tools: {a: {rate: 10/day}}\n", "must be a number from 1 to 1000000 for a second, minute or hour, such as 10/m, or off"},
		"rate of a prompt":   {head + "prompts: {a: {rate: 10/m}}\n", "only tools have a rate"},
		"rate of a resource": {head + "resources: {'db://x': {rate: 10/m}}\n", "only tools have a rate"},
		"one scope":          {head + "tools: {a: {scopes: x}}\n", `"scopes" wants a list ([a, b]), not "x"`},
		"star":               {head + "tools: {'*': {}}\n", "p.yaml:4:9: there is no rule for everything: what is not listed is denied; list each of the tools by name"},
		"glob":               {head + "prompts: {'db_*': {}}\n", "names have no wildcards: list each of the prompts by name"},
		"empty name":         {head + "tools: {'': {}}\n", "an empty name matches nothing"},
		"control":            {head + "tools: {\"a\\n\": {}}\n", "control characters"},
		"twice":              {head + "tools: {a: {}, a: {}}\n", `p.yaml:4:16: duplicate key "a": it is already on line 4`},
		"list":               {head + "list: all\n", "p.yaml:4:7: list must be granted or step_up"},
		"list rule":          {head + "tools: {a: {list: stepup}}\n", `list must be granted or step_up`},
		"list empty":         {head + "list: ''\n", "list must be granted or step_up"},

		"scope syntax":      {head + "tools: {a: {scopes: ['a b']}}\n", "p.yaml:4:22: a scope is one or more printable"},
		"scope empty":       {head + "tools: {a: {scopes: ['']}}\n", "a scope is one or more printable"},
		"scope quote":       {head + "scopes: {'a\"': {}}\n", "p.yaml:4:10: a scope is one or more printable"},
		"scope umlaut":      {head + "scopes: {ä: {}}\n", "a scope is one or more printable"},
		"risk":              {head + "scopes: {a: {risk: huge}}\n", "p.yaml:4:20: risk must be low, medium or high"},
		"risk empty":        {head + "scopes: {a: {risk: ''}}\n", "risk must be low, medium or high"},
		"scope twice":       {head + "tools: {a: {scopes: [x, x]}}\n", "scope x is listed twice"},
		"offline_access":    {head + "tools: {a: {scopes: [offline_access]}}\n", "offline_access is for the authorization server"},
		"openid":            {head + "scopes: {openid: {}}\n", "openid is for the authorization server"},
		"profile":           {head + "tools: {a: {scopes: [x, profile]}}\n", "p.yaml:4:25: profile is for the authorization server"},
		"email":             {head + "scopes: {email: {}}\n", "p.yaml:4:10: email is for the authorization server"},
		"address":           {head + "scopes: {address: {}}\n", "address is for the authorization server"},
		"phone":             {head + "scopes: {phone: {}}\n", "phone is for the authorization server"},
		"undeclared":        {head + "scopes: {db:read: {}}\ntools: {a: {scopes: [db:raed]}}\n", `p.yaml:5:22: scope db:raed is not declared under scopes: did you mean "db:read"?`},
		"undeclared imply":  {head + "scopes: {a: {implies: [b]}}\n", "p.yaml:4:24: scope b is not declared under scopes: known here: a"},
		"self":              {head + "scopes: {a: {implies: [a]}}\n", "scope a implies itself by way of a"},
		"cycle":             {head + "scopes: {a: {implies: [b]}, b: {implies: [c]}, c: {implies: [a]}}\n", "scope a implies itself by way of b"},
		"cycle, other side": {head + "scopes: {a: {implies: [b]}, b: {implies: [c]}, c: {implies: [a]}}\n", "scope c implies itself by way of a"},

		"resource empty":    {head + "resources: {'': {}}\n", "an empty URI matches nothing"},
		"resource star":     {head + "resources: {'**': {}}\n", "a pattern must begin with text"},
		"resource triple":   {head + "resources: {'a/***': {}}\n", "write * (within one segment)"},
		"resource dots":     {head + "resources: {'a/../b': {}}\n", "this matches nothing, because such URIs are always denied: it has a dot segment"},
		"resource fragment": {head + "resources: {'a#b': {}}\n", "a fragment"},
		"resource long":     {head + "resources: {'" + strings.Repeat("a", maxPattern) + "*': {}}\n", "a pattern has at most 512 bytes"},
		"resource twice":    {head + "resources: {'db://ö': {}, 'db://%c3%b6': {}}\n", "another rule spells the same URI"},
		"ambiguous":         {head + "resources: {'a/*': {}, 'a/**': {}}\n", "ambiguous with a/*"},
		"ambiguous inside":  {head + "resources: {'a/*/x*': {}, 'a/*/*y': {}}\n", "ambiguous with"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			p, err := Parse("p.yaml", []byte(row.src))
			if err == nil || p != nil {
				t.Fatalf("accepted, want %q", row.want)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("got  %s\nwant %s", err, row.want)
			}
		})
	}
}

func TestParseReportsEverythingInOrder(t *testing.T) {
	src := head + "list: x\ntools:\n  '*': {}\n  a: {scopes: ['b c']}\nresources: {'': {}}\n"
	_, err := Parse("p.yaml", []byte(src))
	var at []string
	for line := range strings.Lines(err.Error()) {
		at = append(at, strings.SplitN(line, " ", 2)[0])
	}
	if got := strings.Join(at, " "); got != "p.yaml:4:7: p.yaml:6:3: p.yaml:7:16: p.yaml:8:13:" {
		t.Errorf("got %s", err)
	}
}

func TestPatternsThatDoNotOverlap(t *testing.T) {
	for _, pair := range [][2]string{
		{"a/*/x", "a/*/y"},
		{"a/*", "a/**/b/c"},
		{"a/*", "a/*/b"},
		{"a*?b", "a*c"},
		{"a/**?x=*", "a/**?y=*"},
	} {
		src := head + "resources: {'" + pair[0] + "': {}, '" + pair[1] + "': {}}\n"
		if _, err := Parse("p.yaml", []byte(src)); err != nil {
			t.Errorf("%v: %v", pair, err)
		}
	}
}

func TestTooManyPatternsTogether(t *testing.T) {
	var src strings.Builder
	src.WriteString(head + "resources:\n")
	for i := range maxSharing + 1 {
		src.WriteString("  'a/*/" + strings.Repeat("x", i+1) + "': {}\n")
	}
	_, err := Parse("p.yaml", []byte(src.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 64 patterns begin with a/") {
		t.Errorf("got %v", err)
	}
}

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/postern-mcp/postern/config/strictyaml"
	"github.com/postern-mcp/postern/policy/rate"
)

// What the file says at its top.
const (
	apiVersion = "postern.dev/v1"
	kind       = "ToolPolicy"
)

// Values of list.
const (
	listGranted = "granted"
	listStepUp  = "step_up"
)

type file struct {
	APIVersion string                `yaml:"apiVersion"`
	Kind       string                `yaml:"kind"`
	Server     string                `yaml:"server"`
	List       string                `yaml:"list"`
	Tasks      string                `yaml:"tasks"`
	Schemes    bool                  `yaml:"security_schemes"`
	Scopes     map[string]scopeEntry `yaml:"scopes"`
	Tools      map[string]ruleEntry  `yaml:"tools"`
	Resources  map[string]ruleEntry  `yaml:"resources"`
	Prompts    map[string]ruleEntry  `yaml:"prompts"`
}

type scopeEntry struct {
	Description string   `yaml:"description"`
	Default     bool     `yaml:"default"`
	Risk        string   `yaml:"risk"`
	Implies     []string `yaml:"implies"`
}

type ruleEntry struct {
	Scopes []string  `yaml:"scopes"`
	List   string    `yaml:"list"`
	Rate   rate.Rate `yaml:"rate"`
}

// Parse compiles one policy file. The error, of type strictyaml.Problems,
// lists every problem with line and column.
func Parse(name string, src []byte) (*Policy, error) {
	doc, err := strictyaml.Parse(name, src)
	if err != nil {
		return nil, err
	}
	c := compiler{doc: doc, reach: map[string]map[string]bool{}}
	if err := doc.Decode(&c.file); err != nil {
		return nil, err
	}
	c.checkHead()
	c.checkScopes()
	tools := c.rules("tools", c.file.Tools)
	prompts := c.rules("prompts", c.file.Prompts)
	resources := c.resources()
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(src)
	return &Policy{
		server:    c.file.Server,
		version:   hex.EncodeToString(digest[:6]),
		tasks:     c.file.Tasks == tasksPass,
		schemes:   c.file.Schemes,
		catalogue: c.catalogue(),
		enough:    c.enough(),
		tools:     tools,
		prompts:   prompts,
		resources: resources,
	}, nil
}

// compiler turns a file into the parts of a Policy and collects what is wrong with it.
type compiler struct {
	doc      *strictyaml.Document
	file     file
	problems strictyaml.Problems
	reach    map[string]map[string]bool // what reachable has found
}

func (c *compiler) wrong(message string, path ...any) {
	c.problems = append(c.problems, c.doc.Problem(message, path...))
}

func (c *compiler) wrongKey(message string, path ...any) {
	c.problems = append(c.problems, c.doc.KeyProblem(message, path...))
}

func (c *compiler) checkHead() {
	if c.file.APIVersion != apiVersion {
		c.wrong("apiVersion must be "+apiVersion, "apiVersion")
	}
	if c.file.Kind != kind {
		c.wrong("kind must be "+kind, "kind")
	}
	if c.file.Server == "" {
		c.wrong(`server is missing: write the server's name from postern.yaml, like "server: externaldb"`, "server")
	}
	c.checkList(c.file.List, "list")
	if c.file.Tasks != "" && c.file.Tasks != tasksRefuse && c.file.Tasks != tasksPass {
		c.wrong("tasks must be refuse or pass", "tasks")
	}
}

// What tasks: may say.
const (
	tasksRefuse = "refuse"
	tasksPass   = "pass"
)

func (c *compiler) checkList(list string, path ...any) {
	switch list {
	case listGranted, listStepUp:
	case "":
		if c.doc.Has(path...) {
			c.wrong("list must be granted or step_up", path...)
		}
	default:
		c.wrong("list must be granted or step_up", path...)
	}
}

// rules compiles a section whose keys are names of tools or prompts.
func (c *compiler) rules(section string, entries map[string]ruleEntry) map[string]rule {
	rules := make(map[string]rule, len(entries))
	for name, entry := range entries {
		if mistake := nameMistake(section, name); mistake != "" {
			c.wrongKey(mistake, section, name)
		}
		rules[name] = c.rule(entry, section, name)
	}
	return rules
}

func nameMistake(section, name string) string {
	if name == "" {
		return "an empty name matches nothing: write the name or remove the rule"
	}
	if name == "*" {
		return "there is no rule for everything: what is not listed is denied; list each of the " + section + " by name"
	}
	if strings.Contains(name, "*") {
		return "names have no wildcards: list each of the " + section + " by name"
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "a name must not contain control characters"
	}
	return ""
}

func (c *compiler) rule(entry ruleEntry, path ...any) rule {
	c.checkList(entry.List, append(slices.Clone(path), "list")...)
	for i, scope := range entry.Scopes {
		at := append(slices.Clone(path), "scopes", i)
		if mistake := c.scopeMistake(scope); mistake != "" {
			c.wrong(mistake, at...)
		} else if slices.Contains(entry.Scopes[:i], scope) {
			c.wrong("scope "+scope+" is listed twice: remove one", at...)
		}
	}
	list := entry.List
	if list == "" {
		list = c.file.List
	}
	if entry.Rate.Limits() && path[0] != "tools" {
		c.wrong("only tools have a rate", append(slices.Clone(path), "rate")...)
	}
	return rule{scopes: entry.Scopes, listStepUp: list == listStepUp, rate: entry.Rate}
}

// scopeMistake says what is wrong with a scope that a rule needs or a scope implies.
func (c *compiler) scopeMistake(scope string) string {
	if mistake := scopeSyntaxMistake(scope); mistake != "" {
		return mistake
	}
	if _, declared := c.file.Scopes[scope]; !declared && len(c.file.Scopes) > 0 {
		return "scope " + scope + " is not declared under scopes" +
			strictyaml.Suggest(scope, slices.Sorted(maps.Keys(c.file.Scopes)))
	}
	return ""
}

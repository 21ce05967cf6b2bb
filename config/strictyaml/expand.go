package strictyaml

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Expand replaces ${NAME} and ${NAME:-default} in string values (never in
// keys), after parsing, before Decode. The default also stands in for an
// empty value. $$ is a dollar sign, and so is a $ before anything else. A
// NAME that lookup does not know and that has no default is a problem. What
// is put in is not expanded again. An unquoted value that is expanded may
// become a number or a truth value.
func (d *Document) Expand(lookup func(name string) (string, bool)) error {
	return d.expand(d.root, lookup).Err()
}

func (d *Document) expand(n *yaml.Node, lookup func(string) (string, bool)) Problems {
	if n.Kind == yaml.ScalarNode {
		return d.expandScalar(n, lookup)
	}
	var found Problems
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		found = append(found, d.expand(c, lookup)...)
	}
	return found
}

func (d *Document) expandScalar(n *yaml.Node, lookup func(string) (string, bool)) Problems {
	if n.ShortTag() != "!!str" || !strings.Contains(n.Value, "$") {
		return nil
	}
	value, mistakes := expandText(n.Value, lookup)
	var found Problems
	for _, m := range mistakes {
		found = append(found, d.at(n, "%s", m))
	}
	if len(found) == 0 && value != n.Value {
		n.Value = value
		d.expanded[n] = true
	}
	return found
}

var reference = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

func expandText(text string, lookup func(string) (string, bool)) (string, []string) {
	var out strings.Builder
	var mistakes []string
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), mistakes
		}
		value, rest, mistake := expandOne(after, lookup)
		if mistake != "" {
			mistakes = append(mistakes, mistake)
		}
		out.WriteString(value)
		text = rest
	}
}

// expandOne reads what follows a dollar sign.
func expandOne(after string, lookup func(string) (string, bool)) (value, rest, mistake string) {
	if rest, escaped := strings.CutPrefix(after, "$"); escaped {
		return "$", rest, ""
	}
	if !strings.HasPrefix(after, "{") {
		return "$", after, ""
	}
	match := reference.FindStringSubmatch(after)
	if match == nil {
		return "", after, `"${" must be followed by NAME} or NAME:-default}; write $$ for a dollar sign`
	}
	rest = after[len(match[0]):]
	value, known := lookup(match[1])
	if match[2] != "" && value == "" {
		return match[3], rest, ""
	}
	if !known {
		return "", rest, fmt.Sprintf("${%s} is not set: set it, or write ${%s:-default}", match[1], match[1])
	}
	return value, rest, ""
}

package strictyaml

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

func (d *Document) decodeStruct(n *yaml.Node, target reflect.Value, name string) Problems {
	if n.Kind != yaml.MappingNode {
		return d.wrongType(n, name, "a mapping (key: value)")
	}
	var found Problems
	known := fields(target)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		field, ok := known[key.Value]
		if !ok {
			found = append(found, d.at(key, "unknown key %q%s", key.Value, Suggest(key.Value, slices.Sorted(maps.Keys(known)))))
			continue
		}
		found = append(found, d.decode(n.Content[i+1], field, fmt.Sprintf("%q", key.Value))...)
	}
	return found
}

// fields are the settable fields of target by yaml name, inline ones included.
func fields(target reflect.Value) map[string]reflect.Value {
	known := map[string]reflect.Value{}
	for i := range target.NumField() {
		name, options, tagged := fieldName(target.Type().Field(i))
		if options == "inline" {
			maps.Copy(known, fields(target.Field(i)))
			continue
		}
		if tagged {
			known[name] = target.Field(i)
		}
	}
	return known
}

func fieldName(f reflect.StructField) (name, options string, tagged bool) {
	tag, tagged := f.Tag.Lookup("yaml")
	name, options, _ = strings.Cut(tag, ",")
	return name, options, tagged && f.IsExported() && name != "-"
}

// Suggest is `: did you mean "x"?` with the candidate nearest to word, or a
// list of all when none is near and they are few, or "".
func Suggest(word string, candidates []string) string {
	const few, longest = 8, 64
	if len(word) > longest {
		return ""
	}
	best, distance := "", 1+max(1, (len(word)+2)/3)
	for _, candidate := range candidates {
		if found := editDistance(strings.ToLower(word), strings.ToLower(candidate), distance); found < min(distance, len(candidate)) {
			best, distance = candidate, found
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	if n := len(candidates); n > 0 && n <= few {
		return ": known here: " + strings.Join(candidates, ", ")
	}
	return ""
}

// editDistance is the Levenshtein distance of a and b in bytes, or some
// number of at least limit when it is not below limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

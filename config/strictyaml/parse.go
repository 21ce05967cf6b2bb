package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxBytes = 1 << 20
	maxDepth = 64
)

// Parse reads exactly one document of at most 1 MiB: no anchors, aliases,
// merge keys, tags, duplicate keys, second document or non-UTF-8.
// The error is Problems.
func Parse(file string, src []byte) (*Document, error) {
	if len(src) > maxBytes {
		return nil, problem(file, 1, "the file has %d bytes; at most %d are read", len(src), maxBytes)
	}
	if at := invalidUTF8(src); at >= 0 {
		line := 1 + bytes.Count(src[:at], []byte{'\n'})
		return nil, problem(file, line, "the file is not UTF-8 text: save it as UTF-8")
	}
	root, err := parseOne(file, src)
	if err != nil {
		return nil, err
	}
	d := &Document{file: file, root: root, expanded: map[*yaml.Node]bool{}}
	if err := d.checkShape(root, 1).Err(); err != nil {
		return nil, err
	}
	return d, nil
}

func parseOne(file string, src []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil, problem(file, 1, "the file is empty")
	}
	if err != nil {
		return nil, syntaxProblem(file, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, problem(file, second.Line, "a second document starts here: keep one document per file")
	case !errors.Is(err, io.EOF):
		return nil, syntaxProblem(file, err)
	}
	return first.Content[0], nil
}

// checkShape refuses whatever could give one file two meanings.
func (d *Document) checkShape(n *yaml.Node, depth int) Problems {
	if depth > maxDepth {
		return Problems{d.at(n, "nested deeper than %d levels", maxDepth)}
	}
	if n.Kind == yaml.AliasNode {
		return Problems{d.at(n, "aliases (*%s) are not supported: write the value out", n.Value)}
	}
	var found Problems
	if n.Anchor != "" {
		found = append(found, d.at(n, "anchors (&%s) are not supported: write the value out where it is used", n.Anchor))
	}
	if n.Style&yaml.TaggedStyle != 0 {
		found = append(found, d.at(n, "tags (%s) are not supported: remove it", n.Tag))
	}
	if n.Kind == yaml.MappingNode {
		found = append(found, d.checkKeys(n)...)
	}
	for _, c := range n.Content {
		found = append(found, d.checkShape(c, depth+1)...)
	}
	return found
}

func (d *Document) checkKeys(n *yaml.Node) Problems {
	var found Problems
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if p, bad := d.checkKey(key); bad {
			found = append(found, p)
			continue
		}
		if line, seen := first[key.Value]; seen {
			found = append(found, d.at(key, "duplicate key %q: it is already on line %d", key.Value, line))
			continue
		}
		first[key.Value] = key.Line
	}
	return found
}

func (d *Document) checkKey(key *yaml.Node) (Problem, bool) {
	if key.Kind == yaml.AliasNode {
		return Problem{}, false // checkShape reports it
	}
	if key.Kind != yaml.ScalarNode {
		return d.at(key, "a key must be a plain word or a quoted string"), true
	}
	switch key.ShortTag() {
	case "!!merge":
		return d.at(key, "merge keys (<<) are not supported: write the members out"), true
	case "!!null":
		return d.at(key, "a key is missing before the colon"), true
	}
	return Problem{}, false
}

var libraryError = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

func syntaxProblem(file string, err error) Problems {
	text := err.Error()
	head := libraryError.FindStringSubmatch(text)
	line, lineErr := strconv.Atoi(head[1])
	if lineErr != nil {
		line = 1
	}
	return problem(file, line, "not valid YAML: %s", strings.TrimPrefix(text, head[0]))
}

func problem(file string, line int, format string, args ...any) Problems {
	return Problems{{At: Position{File: file, Line: line, Column: 1}, Message: fmt.Sprintf(format, args...)}}
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1 // unreachable
}

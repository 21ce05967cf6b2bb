// Package strictyaml decodes YAML the strict way and says where every mistake
// is. It is the only package that knows the YAML library underneath.
//
// Laws: one meaning per file (no anchors, aliases, merge keys, tags or
// duplicate keys); no value is ever guessed (a key without a value, an octal
// number or "yes" for a truth value is a problem); every problem is reported,
// each with its place, in the order of the file.
package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Position is a place in a file, 1-based. Columns count characters.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Problem is one mistake: where, and a sentence that names the fix.
type Problem struct {
	At      Position
	Message string
}

func (p Problem) Error() string { return p.At.String() + ": " + p.Message }

// Problems is an error of one or more lines "file:line:column: message".
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is p sorted by place, or nil when there is no problem.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	return p
}

// Document is one parsed file.
type Document struct {
	file     string
	root     *yaml.Node
	expanded map[*yaml.Node]bool // scalars whose text Expand changed
}

// Problem places a message at the value under path (strings for keys, ints
// for items), or at the closest ancestor there is.
func (d *Document) Problem(message string, path ...any) Problem {
	_, value := d.find(path)
	return d.at(value, "%s", message)
}

// KeyProblem is Problem at the key that path ends in, for a mistake in the
// key itself.
func (d *Document) KeyProblem(message string, path ...any) Problem {
	key, value := d.find(path)
	if key == nil {
		return d.at(value, "%s", message)
	}
	return d.at(key, "%s", message)
}

// Has says whether the file holds a value under path.
func (d *Document) Has(path ...any) bool {
	value := d.root
	for _, step := range path {
		if _, value = child(value, step); value == nil {
			return false
		}
	}
	return true
}

func (d *Document) at(n *yaml.Node, format string, args ...any) Problem {
	return Problem{At: Position{File: d.file, Line: n.Line, Column: n.Column}, Message: fmt.Sprintf(format, args...)}
}

// find walks path as far as it leads; key is nil when the last step was an item.
func (d *Document) find(path []any) (key, value *yaml.Node) {
	value = d.root
	for _, step := range path {
		nextKey, next := child(value, step)
		if next == nil {
			return key, value
		}
		key, value = nextKey, next
	}
	return key, value
}

func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	switch step := step.(type) {
	case string:
		return member(n, step)
	case int:
		if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
			return nil, n.Content[step]
		}
	}
	return nil, nil
}

func member(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// Package strictyaml decodes YAML the strict way and says where every mistake
// is. It is the only package that knows the YAML library underneath.
package strictyaml

// Position is a place in a file, 1-based.
type Position struct {
	File         string
	Line, Column int
}

// Problem is one mistake: where, and a sentence that names the fix.
type Problem struct {
	At      Position
	Message string
}

// Problems is an error of one or more lines "file:line:column: message".
type Problems []Problem

func (p Problems) Error() string { panic("unwritten") }

// Document is one parsed file.
type Document struct{ _ int }

// Parse reads exactly one document of at most 1 MiB: no anchors, aliases,
// merge keys, custom tags, duplicate keys, second document or non-UTF-8.
// The error is Problems.
func Parse(file string, src []byte) (*Document, error) { panic("unwritten") }

// Decode fills *into (a struct with yaml tags; time.Duration takes "5m";
// json.Number-free: ints, bools, strings, slices, maps by string, pointers to structs, and types with
// UnmarshalText). An unknown key is a problem that names the nearest known
// key; a value of the wrong type names the type wanted. All problems are
// returned at once, as Problems.
func (d *Document) Decode(into any) error { panic("unwritten") }

// Expand replaces ${NAME} and ${NAME:-default} in string values (never in
// keys), after parsing, before Decode. $$ is a dollar sign. A NAME that
// lookup does not know and that has no default is a problem.
func (d *Document) Expand(lookup func(name string) (string, bool)) error { panic("unwritten") }

// Problem places a message at the value under path (strings for keys, ints
// for items), or at the closest ancestor there is.
func (d *Document) Problem(message string, path ...any) Problem { panic("unwritten") }

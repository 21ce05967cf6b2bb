package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// Decode fills *into, a pointer to a struct whose fields have yaml tags.
// Fields are strings, bools, integers, floats, time.Duration ("5m"), types
// with UnmarshalText, structs and pointers to them (inline with
// `yaml:",inline"`), slices, and maps by string. An unknown key is a problem
// that names the nearest known key; a value of the wrong type names the type
// wanted. All problems are returned at once, as Problems.
//
// It does not check that a key is present: an absent key leaves its field as
// it was. Decode panics when into holds a type it does not know.
func (d *Document) Decode(into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("strictyaml: Decode into %T, want a pointer to a struct", into))
	}
	return d.decode(d.root, target.Elem(), "the file").Err()
}

var (
	durationType        = reflect.TypeFor[time.Duration]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// decode puts n into target; name says in messages whose value it is.
func (d *Document) decode(n *yaml.Node, target reflect.Value, name string) Problems {
	if target.Kind() == reflect.Pointer {
		fresh := reflect.New(target.Type().Elem())
		found := d.decode(n, fresh.Elem(), name)
		target.Set(fresh)
		return found
	}
	if d.empty(n) {
		return Problems{d.at(n, "%s has no value: %s", name, emptyFix(target))}
	}
	if reflect.PointerTo(target.Type()).Implements(textUnmarshalerType) {
		return d.decodeText(n, target.Addr().Interface().(encoding.TextUnmarshaler), name)
	}
	if target.Type() == durationType {
		return d.decodeDuration(n, target, name)
	}
	switch target.Kind() {
	case reflect.Struct:
		return d.decodeStruct(n, target, name)
	case reflect.Map:
		return d.decodeMap(n, target, name)
	case reflect.Slice:
		return d.decodeSlice(n, target, name)
	default:
		return d.decodeScalar(n, target, name)
	}
}

// empty says whether nothing was written. What Expand put in is never nothing.
func (d *Document) empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && !d.expanded[n] && n.ShortTag() == "!!null"
}

func emptyFix(target reflect.Value) string {
	switch target.Kind() {
	case reflect.Struct, reflect.Map:
		return "write {} if that is meant, or remove the key"
	case reflect.Slice:
		return "write [] if that is meant, or remove the key"
	default:
		return "write one, or remove the key"
	}
}

func (d *Document) decodeText(n *yaml.Node, target encoding.TextUnmarshaler, name string) Problems {
	if n.Kind != yaml.ScalarNode {
		return d.wrongType(n, name, "a string")
	}
	if err := target.UnmarshalText([]byte(n.Value)); err != nil {
		return Problems{d.at(n, "%s: %s", name, err)}
	}
	return nil
}

func (d *Document) decodeDuration(n *yaml.Node, target reflect.Value, name string) Problems {
	const want = `a duration like "30s", "5m" or "1h30m"`
	if n.Kind != yaml.ScalarNode {
		return d.wrongType(n, name, want)
	}
	duration, err := time.ParseDuration(n.Value)
	if err != nil {
		return d.wrongType(n, name, want)
	}
	target.SetInt(int64(duration))
	return nil
}

func (d *Document) decodeMap(n *yaml.Node, target reflect.Value, name string) Problems {
	if n.Kind != yaml.MappingNode {
		return d.wrongType(n, name, "a mapping (key: value)")
	}
	var found Problems
	entries := reflect.MakeMapWithSize(target.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		value := reflect.New(target.Type().Elem()).Elem()
		found = append(found, d.decode(n.Content[i+1], value, fmt.Sprintf("%q", key))...)
		entries.SetMapIndex(reflect.ValueOf(key).Convert(target.Type().Key()), value)
	}
	target.Set(entries)
	return found
}

func (d *Document) decodeSlice(n *yaml.Node, target reflect.Value, name string) Problems {
	if n.Kind != yaml.SequenceNode {
		return d.wrongType(n, name, "a list ([a, b])")
	}
	var found Problems
	items := reflect.MakeSlice(target.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		found = append(found, d.decode(item, items.Index(i), fmt.Sprintf("item %d of %s", i+1, name))...)
	}
	target.Set(items)
	return found
}

func (d *Document) decodeScalar(n *yaml.Node, target reflect.Value, name string) Problems {
	switch target.Kind() {
	case reflect.String:
		return d.decodeString(n, target, name)
	case reflect.Bool:
		return d.decodeBool(n, target, name)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return d.decodeInt(n, target, name)
	case reflect.Float64:
		return d.decodeFloat(n, target, name)
	default:
		panic(fmt.Sprintf("strictyaml: cannot decode into %s", target.Type()))
	}
}

func (d *Document) decodeString(n *yaml.Node, target reflect.Value, name string) Problems {
	if n.Kind != yaml.ScalarNode {
		return d.wrongType(n, name, "a string")
	}
	// A date is a string here: no field of ours holds a YAML time.
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!timestamp" && !d.expanded[n] {
		return Problems{d.at(n, "%s wants a string: put %s in quotes", name, n.Value)}
	}
	target.SetString(n.Value)
	return nil
}

func (d *Document) decodeBool(n *yaml.Node, target reflect.Value, name string) Problems {
	if !bare(n) || (n.Value != "true" && n.Value != "false") {
		return d.wrongType(n, name, "true or false")
	}
	target.SetBool(n.Value == "true")
	return nil
}

var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func (d *Document) decodeInt(n *yaml.Node, target reflect.Value, name string) Problems {
	if !bare(n) || !integer.MatchString(n.Value) {
		return d.wrongType(n, name, "a whole number in decimal digits")
	}
	value, err := strconv.ParseInt(n.Value, 10, target.Type().Bits())
	if err != nil {
		return Problems{d.at(n, "%s is out of range", name)}
	}
	target.SetInt(value)
	return nil
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func (d *Document) decodeFloat(n *yaml.Node, target reflect.Value, name string) Problems {
	if !bare(n) || !decimal.MatchString(n.Value) {
		return d.wrongType(n, name, "a decimal number")
	}
	value, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsInf(value, 0) {
		return Problems{d.at(n, "%s is out of range", name)}
	}
	target.SetFloat(value)
	return nil
}

// bare: a scalar without quotes.
func bare(n *yaml.Node) bool {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Kind == yaml.ScalarNode && n.Style&quoted == 0
}

func (d *Document) wrongType(n *yaml.Node, name, want string) Problems {
	return Problems{d.at(n, "%s wants %s, not %s", name, want, describe(n))}
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

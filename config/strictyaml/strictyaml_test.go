package strictyaml

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type level string

type sample struct {
	Common   `yaml:",inline"`
	Text     string            `yaml:"text"`
	Level    level             `yaml:"level"`
	On       bool              `yaml:"on"`
	Count    int               `yaml:"count"`
	Small    int8              `yaml:"small"`
	Big      int64             `yaml:"big"`
	Ratio    float64           `yaml:"ratio"`
	Wait     time.Duration     `yaml:"wait"`
	Addr     netip.Addr        `yaml:"addr"`
	Addrs    []netip.Addr      `yaml:"addrs"`
	List     []string          `yaml:"list"`
	Words    map[string]string `yaml:"words"`
	Items    map[string]item   `yaml:"items"`
	Pointer  *item             `yaml:"pointer"`
	Ignored  string            `yaml:"-"`
	Untagged string
}

type Common struct {
	Name string `yaml:"name"`
}

type item struct {
	Port int `yaml:"port"`
}

func decode(src string) (sample, error) {
	var into sample
	doc, err := Parse("f.yaml", []byte(src))
	if err == nil {
		err = doc.Decode(&into)
	}
	return into, err
}

func TestDecode(t *testing.T) {
	got, err := decode(`
name: n
text: "yes"
level: high
on: true
count: -3
small: 127
big: 9007199254740993
ratio: 0.5
wait: 1h30m
addr: 127.0.0.1
addrs: ["::1"]
list: [a, b]
words: {1: x, true: y}
items: {a: {port: 1}, b: {}}
pointer: {port: 2}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := sample{
		Common: Common{"n"}, Text: "yes", Level: "high", On: true, Count: -3, Small: 127, Big: 9007199254740993,
		Ratio: 0.5, Wait: 90 * time.Minute, Addr: netip.MustParseAddr("127.0.0.1"), Addrs: []netip.Addr{netip.MustParseAddr("::1")},
		List: []string{"a", "b"}, Words: map[string]string{"1": "x", "true": "y"},
		Items: map[string]item{"a": {1}, "b": {}}, Pointer: &item{2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAbsentKeysKeepDefaults(t *testing.T) {
	into := sample{Text: "default", Count: 5}
	doc, err := Parse("f.yaml", []byte("count: 6\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Decode(&into); err != nil || into.Text != "default" || into.Count != 6 {
		t.Errorf("%+v, %v", into, err)
	}
}

func TestProblems(t *testing.T) {
	table := map[string]struct{ src, want string }{
		"empty":           {"", "f.yaml:1:1: the file is empty"},
		"comment only":    {"# hi\n", "f.yaml:1:1: the file is empty"},
		"too large":       {strings.Repeat("#\n", 1<<19+1), "f.yaml:1:1: the file has 1048578 bytes; at most 1048576 are read"},
		"latin-1":         {"text: a\ntext: \xe4\n", "f.yaml:2:1: the file is not UTF-8 text"},
		"utf-16":          {"\xff\xfea\x00", "f.yaml:1:1: the file is not UTF-8 text"},
		"syntax":          {"text: a\nlist: [\n", "f.yaml:2:1: not valid YAML"},
		"tab":             {"words:\n\ta: b\n", "not valid YAML: found character that cannot start any token"},
		"control":         {"text: a\x01b\n", "not valid YAML"},
		"second":          {"text: a\n---\ntext: b\n", "f.yaml:2:1: a second document starts here"},
		"second, broken":  {"text: a\n---\n[", "not valid YAML"},
		"anchor":          {"text: &a x\n", "f.yaml:1:7: anchors (&a) are not supported"},
		"alias":           {"text: &a x\nname: *a\n", "f.yaml:2:7: aliases (*a) are not supported"},
		"alias key":       {"text: &a x\n*a : y\n", "f.yaml:2:1: aliases (*a) are not supported"},
		"merge":           {"words: {<<: {a: b}}\n", "f.yaml:1:9: merge keys (<<) are not supported"},
		"tag":             {"text: !!binary aGk=\n", "f.yaml:1:7: tags (!!binary) are not supported"},
		"own tag":         {"text: !x y\n", "f.yaml:1:7: tags (!x) are not supported"},
		"string tag":      {"text: !!str 5\n", "tags (!!str) are not supported"},
		"duplicate":       {"text: a\nname: b\ntext: c\n", `f.yaml:3:1: duplicate key "text": it is already on line 1`},
		"duplicate quote": {"text: a\n'text': c\n", `duplicate key "text"`},
		"duplicate deep":  {"words: {a: b,\n  a: c}\n", `f.yaml:2:3: duplicate key "a": it is already on line 1`},
		"list key":        {"? [a]\n: b\n", "f.yaml:1:3: a key must be a plain word or a quoted string"},
		"no key":          {"~: b\n", "f.yaml:1:1: a key is missing before the colon"},
		"deep":            {strings.Repeat("[", 70) + strings.Repeat("]", 70), "nested deeper than 64 levels"},

		"scalar file":  {"hello\n", `f.yaml:1:1: the file wants a mapping (key: value), not "hello"`},
		"list file":    {"- a\n", "the file wants a mapping (key: value), not a list"},
		"unknown":      {"txet: a\n", `f.yaml:1:1: unknown key "txet": did you mean "text"?`},
		"case":         {"Text: a\n", `unknown key "Text": did you mean "text"?`},
		"far":          {"whatever: a\n", `f.yaml:1:1: unknown key "whatever"`},
		"few":          {"pointer: {xyzzy: 1}\n", `f.yaml:1:11: unknown key "xyzzy": known here: port`},
		"very long":    {strings.Repeat("a", 100) + ": a\n", "unknown key"},
		"ignored":      {"Ignored: a\n", `unknown key "Ignored"`},
		"dash":         {"\"-\": a\n", `unknown key "-"`},
		"untagged":     {"Untagged: a\n", `unknown key "Untagged"`},
		"null string":  {"text:\n", `f.yaml:1:6: "text" has no value: write one, or remove the key`},
		"null tilde":   {"text: ~\n", `"text" has no value`},
		"null map":     {"items:\n", `"items" has no value: write {} if that is meant, or remove the key`},
		"null list":    {"list: null\n", `"list" has no value: write [] if that is meant, or remove the key`},
		"null pointer": {"pointer:\n", `"pointer" has no value: write {}`},
		"null item":    {"items: {a: }\n", `"a" has no value`},
		"number":       {"text: 5\n", `f.yaml:1:7: "text" wants a string: put 5 in quotes`},
		"truth string": {"text: true\n", `"text" wants a string: put true in quotes`},
		"map string":   {"text: {a: b}\n", `"text" wants a string, not a mapping`},
		"list item":    {"list: [a, 5]\n", `f.yaml:1:11: item 2 of "list" wants a string: put 5 in quotes`},
		"no list":      {"list: a\n", `"list" wants a list ([a, b]), not "a"`},
		"no map":       {"items: [a]\n", `"items" wants a mapping (key: value), not a list`},
		"no struct":    {"pointer: 5\n", `"pointer" wants a mapping (key: value), not "5"`},
		"yes":          {"on: yes\n", `"on" wants true or false, not "yes"`},
		"True":         {"on: True\n", `"on" wants true or false`},
		"quoted true":  {"on: \"true\"\n", `"on" wants true or false`},
		"octal":        {"count: 010\n", `"count" wants a whole number in decimal digits, not "010"`},
		"hex":          {"count: 0x10\n", `"count" wants a whole number`},
		"underscore":   {"count: 1_000\n", `"count" wants a whole number`},
		"quoted count": {"count: \"5\"\n", `"count" wants a whole number`},
		"float count":  {"count: 1.0\n", `"count" wants a whole number`},
		"huge":         {"count: 99999999999999999999\n", `f.yaml:1:8: "count" is out of range`},
		"small":        {"small: 128\n", `"small" is out of range`},
		"infinite":     {"ratio: .inf\n", `"ratio" wants a decimal number`},
		"exponent":     {"ratio: 1e5\n", `"ratio" wants a decimal number`},
		"wait number":  {"wait: 5\n", `"wait" wants a duration like "30s", "5m" or "1h30m", not "5"`},
		"wait list":    {"wait: [5m]\n", `"wait" wants a duration like "30s", "5m" or "1h30m", not a list`},
		"addr":         {"addr: nowhere\n", `f.yaml:1:7: "addr": ParseAddr`},
		"addr map":     {"addr: {}\n", `"addr" wants a string, not a mapping`},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			_, err := decode(row.src)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems: %s", err, row.want)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("got  %s\nwant %s", err, row.want)
			}
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	_, err := decode("count: x\nitems: {b: {port: y}, a: {prot: 1}}\nlist: 5\n")
	want := `f.yaml:1:8: "count" wants a whole number in decimal digits, not "x"
f.yaml:2:19: "port" wants a whole number in decimal digits, not "y"
f.yaml:2:27: unknown key "prot": did you mean "port"?
f.yaml:3:7: "list" wants a list ([a, b]), not "5"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestDecodePanicsOnTypesItDoesNotKnow(t *testing.T) {
	for _, into := range []any{sample{}, new(int), &struct {
		A any `yaml:"a"`
	}{}} {
		doc, err := Parse("f.yaml", []byte("a: 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was decoded", into)
				}
			}()
			_ = doc.Decode(into)
		}()
	}
}

func TestExpand(t *testing.T) {
	environment := map[string]string{"A": "alpha", "PORT": "80", "EMPTY": "", "ODD": "${A} $$", "NULL": "null"}
	lookup := func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	table := map[string]struct {
		src  string
		want sample
	}{
		"plain":           {"text: ${A}", sample{Text: "alpha"}},
		"inside":          {"text: <${A}-${A}>", sample{Text: "<alpha-alpha>"}},
		"quoted":          {`text: "${PORT}"`, sample{Text: "80"}},
		"unquoted string": {"text: ${PORT}", sample{Text: "80"}},
		"null string":     {"text: ${NULL}", sample{Text: "null"}},
		"number":          {"count: ${PORT}", sample{Count: 80}},
		"default":         {"text: ${B:-beta}", sample{Text: "beta"}},
		"empty default":   {`text: "${B:-}x"`, sample{Text: "x"}},
		"empty value":     {"text: ${EMPTY:-beta}", sample{Text: "beta"}},
		"empty":           {"text: ${EMPTY}", sample{}},
		"not again":       {"text: ${ODD}", sample{Text: "${A} $$"}},
		"dollar":          {"text: $$ $$$${A} $5 $", sample{Text: "$ $${A} $5 $"}},
		"escaped":         {"text: $${A}", sample{Text: "${A}"}},
		"list":            {"list: ['${A}']", sample{List: []string{"alpha"}}},
		"never keys":      {"words: {'${A}': x}", sample{Words: map[string]string{"${A}": "x"}}},
		"never structure": {"text: ${STRUCTURE:-[a, b]}", sample{Text: "[a, b]"}},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			doc, err := Parse("f.yaml", []byte(row.src))
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Expand(lookup); err != nil {
				t.Fatal(err)
			}
			var got sample
			if err := doc.Decode(&got); err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestExpandProblems(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	table := map[string]struct{ src, want string }{
		"unset":        {"text: x ${A}", "f.yaml:1:7: ${A} is not set: set it, or write ${A:-default}"},
		"two":          {"text: ${A}\nname: ${B}", "f.yaml:2:7: ${B} is not set"},
		"open":         {"text: ${A", `f.yaml:1:7: "${" must be followed by NAME}`},
		"digit":        {"text: ${1}", `"${" must be followed by NAME}`},
		"no name":      {"text: ${}", `"${" must be followed by NAME}`},
		"other form":   {"text: ${A:?x}", `"${" must be followed by NAME}`},
		"quoted count": {"count: \"${A:-5}\"", `"count" wants a whole number`},
		"on":           {"on: ${A:-yes}", `"on" wants true or false, not "yes"`},
	}
	for name, row := range table {
		doc, err := Parse("f.yaml", []byte(row.src))
		if err != nil {
			t.Fatal(err)
		}
		err = doc.Expand(nothing)
		if err == nil {
			err = doc.Decode(&sample{})
		}
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
	}
}

func TestProblemPlaces(t *testing.T) {
	doc, err := Parse("f.yaml", []byte("items:\n  a:\n    port: 1\nlist: [x, ö, y]\n"))
	if err != nil {
		t.Fatal(err)
	}
	table := []struct {
		path       []any
		value, key string
		has        bool
	}{
		{[]any{}, "f.yaml:1:1", "f.yaml:1:1", true},
		{[]any{"items"}, "f.yaml:2:3", "f.yaml:1:1", true},
		{[]any{"items", "a", "port"}, "f.yaml:3:11", "f.yaml:3:5", true},
		{[]any{"items", "b", "port"}, "f.yaml:2:3", "f.yaml:1:1", false},
		{[]any{"list", 2}, "f.yaml:4:14", "f.yaml:4:14", true},
		{[]any{"list", 3}, "f.yaml:4:7", "f.yaml:4:1", false},
		{[]any{"list", "x"}, "f.yaml:4:7", "f.yaml:4:1", false},
		{[]any{"items", 0}, "f.yaml:2:3", "f.yaml:1:1", false},
		{[]any{"nothing"}, "f.yaml:1:1", "f.yaml:1:1", false},
	}
	for _, row := range table {
		value, key := doc.Problem("100% wrong", row.path...), doc.KeyProblem("100% wrong", row.path...)
		if value.At.String() != row.value || key.At.String() != row.key || doc.Has(row.path...) != row.has {
			t.Errorf("%v: value at %s, key at %s, has %v", row.path, value.At, key.At, doc.Has(row.path...))
		}
		if want := row.value + ": 100% wrong"; fmt.Sprint(value) != want {
			t.Errorf("got %s, want %s", value, want)
		}
	}
}

// FuzzParse: no file makes Parse, Expand or Decode panic, and every problem has a place in the file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"text: a\nlist: [a, b]\n", "a: &x [*x]\n", "<<: {a: b}\n", "? {a: b}\n: c\n", "text: ${A:-${B}}\n", "- - - -\n",
		"%TAG ! x\n---\n!y z\n", "--- |\n a\n...\n--- b\n", "\"\\ud800\": 1\n", "text: >-\n  a\n\n  b\n", "{a: [}", "\ufeffname: a\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := Parse("f", src)
		if err == nil {
			err = doc.Expand(func(string) (string, bool) { return "5", true })
		}
		if err == nil {
			err = doc.Decode(&sample{})
		}
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("%T", err)
		}
		for _, p := range problems {
			if p.At.Line < 1 || p.At.Column < 1 || p.Message == "" || p.At.Line > strings.Count(string(src), "\n")+strings.Count(string(src), "\r")+strings.Count(string(src), "\u2028")+strings.Count(string(src), "\u2029")+strings.Count(string(src), "\u0085")+2 {
				t.Errorf("problem %+v", p)
			}
		}
	})
}

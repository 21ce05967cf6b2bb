package admin

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// object is one JSON object of the document.
type object map[string]any

// schemas collects the named types of the document.
type schemas object

// of is the schema of a type (JSON Schema 2020-12): named types by reference.
func (s schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[jsontext.Value]():
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Struct:
		return s.named(t)
	}
	return object{"type": "string"}
}

func (s schemas) named(t reflect.Type) object {
	name := schemaName(t)
	if _, known := s[name]; !known {
		s[name] = object{} // a type that refers to itself ends here
		s[name] = s.members(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// schemaName turns Page[…/admin.User] into UserPage.
func schemaName(t reflect.Type) string {
	name, inner, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	inner = strings.TrimSuffix(inner, "]")
	return inner[strings.LastIndexByte(inner, '.')+1:] + name
}

func (s schemas) members(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range bodyFields(t) {
		properties[member(f)] = s.field(f)
		if !optional(f) {
			required = append(required, member(f))
		}
	}
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// field is the schema of a field with what its tags say.
func (s schemas) field(f reflect.StructField) object {
	out := s.of(f.Type)
	if doc := f.Tag.Get("doc"); doc != "" {
		out["description"] = doc
	}
	if format := f.Tag.Get("format"); format != "" {
		out["format"] = format
	}
	words := out
	if items, ok := out["items"].(object); ok {
		words = items
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		words["enum"] = strings.Split(enum, ",")
	}
	bound(out, f)
	return out
}

func bound(out object, f reflect.StructField) {
	low, high := limit(f, "min"), limit(f, "max")
	switch {
	case high == 0:
	case out["type"] == "integer":
		out["minimum"], out["maximum"] = low, high
	case out["type"] == "array":
		out["maxItems"] = high
	case out["type"] == "string":
		out["maxLength"] = high
	}
}

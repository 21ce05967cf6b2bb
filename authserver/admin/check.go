package admin

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkAll holds a request to the tags of its type: what is required, enum, min
// and max (of a number its value, of a text its bytes, of a list its length).
func checkAll(v reflect.Value) error {
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.Anonymous {
			continue
		}
		if err := checkField(f, v.FieldByIndex(f.Index)); err != nil {
			return err
		}
	}
	return nil
}

func checkField(f reflect.StructField, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	problem := fault(f, v)
	if problem == "" {
		return nil
	}
	if name := member(f); name != "" {
		return RefuseMember(name, "%s %s.", name, problem)
	}
	for _, place := range places {
		if name, ok := f.Tag.Lookup(place); ok {
			return &Error{Reason: BadParameter, Member: name, Detail: name + " " + problem + "."}
		}
	}
	return nil
}

// fault says what is wrong with a value, or "".
func fault(f reflect.StructField, v reflect.Value) string {
	if member(f) != "" && !optional(f) && absent(v) {
		return "is required"
	}
	switch v.Kind() {
	case reflect.String:
		return textFault(f, v.String())
	case reflect.Int, reflect.Int64:
		return numberFault(f, v.Int())
	case reflect.Slice:
		if most := limit(f, "max"); most != 0 && v.Len() > most && f.Type.Elem().Kind() != reflect.Uint8 {
			return fmt.Sprintf("has more than %d entries", most)
		}
	}
	return ""
}

func absent(v reflect.Value) bool {
	return v.Kind() == reflect.String && v.String() == "" || v.Kind() == reflect.Slice && v.IsNil()
}

func textFault(f reflect.StructField, s string) string {
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	if most := limit(f, "max"); most != 0 && len(s) > most {
		return fmt.Sprintf("is longer than %d bytes", most)
	}
	words := f.Tag.Get("enum")
	if s == "" || words == "" || slices.Contains(strings.Split(words, ","), s) {
		return ""
	}
	return "must be one of " + strings.ReplaceAll(words, ",", ", ")
}

// numberFault: 0 is what is absent.
func numberFault(f reflect.StructField, n int64) string {
	low, high := limit(f, "min"), limit(f, "max")
	if n == 0 || n >= int64(low) && n <= int64(high) {
		return ""
	}
	return fmt.Sprintf("must be from %d to %d", low, high)
}

// limit is the number in a tag, 0 when there is none.
func limit(f reflect.StructField, tag string) int {
	n, err := strconv.Atoi(f.Tag.Get(tag))
	if err != nil {
		return 0
	}
	return n
}

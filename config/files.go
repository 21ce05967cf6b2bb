package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
)

// CheckFiles reads every file with a secret, a key or certificates that the
// configuration names, and says at which key one is missing, empty or not to be
// read. What is in them is looked at elsewhere, where it is used.
func (f *File) CheckFiles() error {
	c := &check{doc: f.doc}
	c.filesIn(reflect.ValueOf(f).Elem(), nil)
	return c.problems.Err()
}

// filesIn walks what was read: every key that ends in _file names one, and so
// does the file of a credential.
func (c *check) filesIn(v reflect.Value, at []any) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.filesIn(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.filesIn(v.Index(i), append(slices.Clone(at), i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.fieldFile(v.Type(), i, v.Field(i), at)
		}
	}
}

func (c *check) fieldFile(in reflect.Type, i int, v reflect.Value, at []any) {
	key, _, _ := strings.Cut(in.Field(i).Tag.Get("yaml"), ",")
	if key == "" {
		return
	}
	at = append(slices.Clone(at), key)
	if v.Kind() != reflect.String {
		c.filesIn(v, at)
		return
	}
	named := strings.HasSuffix(key, "_file") || in == reflect.TypeFor[Credential]() && key == "file"
	if named && v.String() != "" {
		c.filled(v.String(), at...)
	}
}

// filled: a file that can be read, with something in it.
func (c *check) filled(path string, at ...any) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
	}
	var wrong *fs.PathError
	switch {
	case errors.Is(err, io.EOF):
		c.fail(path+" is empty", at...)
	case errors.As(err, &wrong):
		c.fail(path+" cannot be read: "+wrong.Err.Error(), at...)
	case err != nil:
		c.fail(path+" cannot be read: "+err.Error(), at...)
	}
}

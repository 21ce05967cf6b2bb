package main

import "strings"

// scopeList is a flag of scopes, written as in requests (RFC 6749 §3.3), with
// commas, or one by one.
type scopeList []string

func (l *scopeList) String() string { return strings.Join(*l, " ") }

// Type is what help calls the value.
func (l *scopeList) Type() string { return "scopes" }

// Set adds to the list.
func (l *scopeList) Set(text string) error {
	*l = append(*l, strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' })...)
	return nil
}

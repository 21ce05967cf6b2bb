package main

import "testing"

func TestScopesAreListedInEveryWay(t *testing.T) {
	for _, row := range []struct {
		given []string
		want  string
	}{
		{nil, ""},
		{[]string{"calc:basic"}, "calc:basic"},
		{[]string{"calc:basic calc:advanced"}, "calc:basic calc:advanced"},
		{[]string{"calc:basic,calc:advanced"}, "calc:basic calc:advanced"},
		{[]string{" calc:basic, calc:advanced "}, "calc:basic calc:advanced"},
		{[]string{"calc:basic", "calc:advanced db:read"}, "calc:basic calc:advanced db:read"},
	} {
		var l scopeList
		for _, text := range row.given {
			if err := l.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		if l.String() != row.want {
			t.Errorf("%q: got %q", row.given, l)
		}
	}
}

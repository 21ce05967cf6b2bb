package role

import (
	"strings"
	"testing"
)

func set(t *testing.T, list ...Role) Set {
	t.Helper()
	s, err := New(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBoundIsTheUnionOfRoles(t *testing.T) {
	s := set(t,
		Role{Name: "guest", Scopes: []string{"calc:basic"}, Everyone: true},
		Role{Name: "user", Scopes: []string{"calc:*", "db:read"}},
		Role{Name: "dba", Scopes: []string{"db:*"}, Factor: true},
		Role{Name: "root", Scopes: []string{"*"}},
		Role{Name: "admin", Scopes: []string{"*", "postern:*"}, Factor: true},
		Role{Name: "reader", Scopes: []string{"postern:read"}},
		Role{Name: "empty"},
	)
	for _, row := range []struct {
		held   string
		strong bool
		yes    string
		no     string
	}{
		{"", false, "calc:basic", "calc:power db:read postern:read calc:basic2 calc calc: *"},
		{"empty", true, "calc:basic", "db:read"},
		{"nobody-defined-this", true, "calc:basic", "db:read"},
		{"user", false, "calc:basic calc:power calc: db:read", "db:write db:readonly CALC:BASIC"},
		{"user dba", false, "db:read", "db:write"},
		{"user dba", true, "db:read db:write", "postern:read"},
		{"root", true, "db:write anything", "postern:read postern:users postern:"},
		{"reader", false, "postern:read", "postern:users postern:readers"},
		{"admin", false, "calc:basic", "db:read postern:read"},
		{"admin", true, "db:read postern:read postern:users", ""},
	} {
		b := s.Bound(strings.Fields(row.held), row.strong)
		for _, scope := range strings.Fields(row.yes) {
			if !b.Allows(scope) {
				t.Errorf("%q (%v) may not have %s", row.held, row.strong, scope)
			}
		}
		for _, scope := range strings.Fields(row.no) {
			if b.Allows(scope) {
				t.Errorf("%q (%v) may have %s", row.held, row.strong, scope)
			}
		}
	}
	if got := s.Bound([]string{"user"}, false).Within([]string{"db:write", "db:read", "calc:x"}); strings.Join(got, " ") != "db:read calc:x" {
		t.Errorf("kept %v", got)
	}
}

// What everyone holds, people hold: a machine has what it was given.
func TestMachinesHoldWhatTheyWereGiven(t *testing.T) {
	s := set(t, Role{Name: "guest", Scopes: []string{"calc:*"}, Everyone: true},
		Role{Name: "agent", Scopes: []string{"db:read"}}, Role{Name: "dba", Scopes: []string{"db:*"}, Factor: true})
	b := s.OfMachine([]string{"agent", "dba", "gone"})
	if b.Allows("calc:basic") || b.Allows("db:write") || !b.Allows("db:read") {
		t.Errorf("got %+v", b)
	}
	if !Unbounded().Allows("db:write") || !Unbounded().Allows("postern:read") {
		t.Error("unbounded is bounded")
	}
	if s.OfMachine(nil).Allows("db:read") || (Bound{}).Allows("") {
		t.Error("nothing gives something")
	}
}

func TestDefaultRoles(t *testing.T) {
	s := set(t, Default()...)
	if b := s.Bound(nil, true); !b.Allows("db:write") || b.Allows("postern:read") {
		t.Error("everybody may have what there is, without the administration")
	}
	if b := s.Bound([]string{"admin"}, false); b.Allows("postern:users") {
		t.Error("an administrator without a second factor")
	}
	if b := s.Bound([]string{"admin"}, true); !b.Allows("postern:users") {
		t.Error("an administrator may not administer")
	}
}

func TestWrongRolesAreRefused(t *testing.T) {
	for _, row := range []struct {
		list []Role
		want string
	}{
		{nil, "at least one"},
		{[]Role{{Name: ""}}, "1 to 64"},
		{[]Role{{Name: "Admin"}}, "a-z"},
		{[]Role{{Name: "a b"}}, "a-z"},
		{[]Role{{Name: strings.Repeat("a", 65)}}, "1 to 64"},
		{[]Role{{Name: "a"}, {Name: "a"}}, "two of this name"},
		{[]Role{{Name: "a", Scopes: []string{""}}}, "a scope, or"},
		{[]Role{{Name: "a", Scopes: []string{"d*b:*"}}}, "a scope, or"},
		{[]Role{{Name: "a", Scopes: []string{"db read"}}}, "a scope, or"},
		{[]Role{{Name: "a", Scopes: []string{"ä"}}}, "a scope, or"},
		{[]Role{{Name: "a", Scopes: []string{"postern:*"}, Everyone: true}}, "not for everyone"},
	} {
		if s, err := New(row.list); err == nil || !strings.Contains(err.Error(), row.want) || s.list != nil {
			t.Errorf("%v: %v", row.list, err)
		}
	}
}

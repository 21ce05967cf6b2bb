package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

var errNo = errors.New("no")

func agree(Person) error { return nil }

// deskWork is everything administrators do, on u1 "ada", c1 and m1, who exist.
func deskWork(t *testing.T, s *DB) []error {
	t.Helper()
	ctx, dynamic := t.Context(), true
	must(t, s.AddPerson(ctx, User{ID: "d1", Name: "dan"}, []string{"admin"}, t0))
	must(t, s.AddStored(ctx, Client{ID: "s1", Name: "robot", CreatedAt: t0}, []string{"agent"}))
	return []error{
		failed(s.People(ctx, PeopleFilter{Limit: 10})), failed(s.People(ctx, PeopleFilter{Part: "a", Limit: 10})),
		failed(s.People(ctx, PeopleFilter{Name: "ada", Limit: 10})), failed(s.People(ctx, PeopleFilter{Email: "a@b", Limit: 10})),
		failed(s.Person(ctx, "d1")),
		failed(s.StoredClients(ctx, ClientsFilter{Limit: 10})), failed(s.StoredClients(ctx, ClientsFilter{Dynamic: &dynamic, Limit: 10})),
		failed(s.StoredClients(ctx, ClientsFilter{Part: "robot", Limit: 10})), failed(s.StoredClient(ctx, "s1")),
		failed(s.GrantsOf(ctx, Whose{User: "u1"}, time.Time{}, "", t0, 10)), failed(s.GrantsOf(ctx, Whose{Client: "c1"}, t0, "x", t0, 10)),
		failed(s.GrantsOf(ctx, Whose{"u1", "c1"}, t0, "x", t0, 10)), failed(s.TokensOf(ctx, Whose{"u1", "c1"}, 0, t0, 10)),
		failed(s.TokensOf(ctx, Whose{User: "u1"}, 0, t0, 10)), failed(s.TokensOf(ctx, Whose{Client: "c1"}, 7, t0, 10)),
		failed(s.AllSessions(ctx, "", time.Time{}, nil, t0, 10)), failed(s.AllSessions(ctx, "u1", t0, []byte{1}, t0, 10)),
		failed(s.SignInRows(ctx, "", "", 0, 10)), failed(s.SignInRows(ctx, "u1", "allow", 7, 10)),
		failed(s.UsersWith(ctx, "admin", "", "", 10)), failed(s.ClientsWith(ctx, "agent", "", 10)),
		s.ChangePerson(ctx, "d1", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, nil }),
		s.GiveRoles(ctx, "d1", []string{"user"}, t0, agree, none), s.RemoveFactors(ctx, "d1", "all", agree),
		s.ChangeClient(ctx, "s1", t0, func(c Stored) (ClientChange, error) { return ClientChange{c.Client, nil, true}, nil }),
		s.DeletePerson(ctx, "d1", agree),
	}
}

func peopleNames(all []Person) (names []string) {
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

func TestPeopleAreListed(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for i, name := range []string{"ada", "Adah", "adam", "bob", "Čapek"} {
			must(t, s.AddPerson(ctx, User{ID: fmt.Sprint("u", i), Name: name, FullName: name + " of 100%_x", Email: "everybody@example.com"}, []string{"user"}, t0))
		}
		for _, row := range []struct {
			name   string
			filter PeopleFilter
			want   []string
		}{
			{"everybody", PeopleFilter{Limit: 10}, []string{"Adah", "ada", "adam", "bob", "Čapek"}},
			{"the first two", PeopleFilter{Limit: 2}, []string{"Adah", "ada"}},
			{"after them", PeopleFilter{After: "ada", Limit: 2}, []string{"adam", "bob"}},
			{"by a part of the name", PeopleFilter{Part: "DA", Limit: 10}, []string{"Adah", "ada", "adam"}},
			{"by a part beyond ASCII", PeopleFilter{Part: "ČAp", Limit: 10}, []string{"Čapek"}},
			{"by a part of the full name", PeopleFilter{Part: "bob OF", Limit: 10}, []string{"bob"}},
			{"by a part of the address", PeopleFilter{Part: "@Example", Limit: 2}, []string{"Adah", "ada"}},
			{"by a part, after others", PeopleFilter{Part: "ada", After: "ada", Limit: 10}, []string{"adam"}},
			{"what a pattern would be is plain", PeopleFilter{Part: "100%_x", Limit: 1}, []string{"Adah"}},
			{"by name", PeopleFilter{Name: "ada", Limit: 10}, []string{"ada"}},
			{"by address", PeopleFilter{Email: "everybody@example.com", Limit: 1}, []string{"Adah"}},
			{"by nobody's address", PeopleFilter{Email: "x@example.com", Limit: 10}, nil},
			{"a wildcard is none", PeopleFilter{Part: "a%a", Limit: 10}, nil},
			{"nor is another", PeopleFilter{Part: "a_a", Limit: 10}, nil},
			{"nor what keeps it from being one", PeopleFilter{Part: `\`, Limit: 10}, nil},
		} {
			got, err := s.People(ctx, row.filter)
			if slices.Sort(row.want); err != nil || !slices.Equal(sorted(peopleNames(got)), row.want) {
				t.Errorf("%s: %v, %v", row.name, peopleNames(got), err)
			}
			for _, p := range got {
				if len(p.Roles) != 1 || p.Roles[0] != (UserRole{"user", Assigned, t0}) {
					t.Errorf("%s: roles of %s: %v", row.name, p.Name, p.Roles)
				}
			}
		}
	})
}

// Clients are found by name on every page, however many others lie between.
func TestClientsAreFoundByName(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.tx(ctx, func(tx *sql.Tx) error {
			for i := range searched + 100 {
				c := Client{ID: fmt.Sprintf("c%04d", i), Name: "other", CreatedAt: t0.Add(time.Duration(i) * time.Second)}
				if i%200 == 0 {
					c.Name = `Ča"pek's ROBOT`
				}
				if err := insertClient(ctx, tx, c); err != nil {
					return err
				}
			}
			return nil
		}))
		yes := true
		for _, row := range []struct {
			name   string
			filter ClientsFilter
			want   []string
		}{
			{"the first", ClientsFilter{Part: "robot", Limit: 1}, []string{"c0400"}},
			{"all", ClientsFilter{Part: `čA"`, Limit: 10}, []string{"c0400", "c0200", "c0000"}},
			{"after the first", ClientsFilter{Part: "robot", Before: t0.Add(400 * time.Second), ID: "c0400", Limit: 1}, []string{"c0200"}},
			{"by id", ClientsFilter{Part: "c0007", Limit: 10}, []string{"c0007"}},
			{"by a part of the id", ClientsFilter{Part: "c000", Limit: 10}, nil},
			{"of another kind", ClientsFilter{Part: "robot", Dynamic: &yes, Limit: 10}, nil},
		} {
			found, err := s.StoredClients(ctx, row.filter)
			var got []string
			for _, c := range found {
				got = append(got, c.ID)
			}
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("%s: %v, %v", row.name, got, err)
			}
		}
	})
}

// What a person allowed one client is told from all else of theirs.
func TestGrantsOfAPersonToAClient(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		a := signedIn(t, s)
		for _, row := range []struct {
			whose Whose
			want  int
		}{
			{Whose{User: "u1"}, 1}, {Whose{Client: a.Grant.ClientID}, 1}, {Whose{"u1", a.Grant.ClientID}, 1},
			{Whose{"u1", "another"}, 0}, {Whose{"u2", a.Grant.ClientID}, 0},
		} {
			grants, err := s.GrantsOf(ctx, row.whose, time.Time{}, "", t0, 10)
			must(t, err)
			tokens, err := s.TokensOf(ctx, row.whose, 0, t0.Add(-time.Hour), 10)
			must(t, err)
			if len(grants) != row.want || len(tokens) != row.want {
				t.Errorf("%+v: %d grants, %d tokens", row.whose, len(grants), len(tokens))
			}
		}
	})
}

// The last sign-in is said of a person, and changes nothing that is.
func TestPeopleHaveSignedIn(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddPerson(ctx, User{ID: "u1", Name: "ada"}, nil, t0))
		for _, want := range []time.Time{{}, t0.Add(time.Hour), t0.Add(2 * time.Hour)} {
			if !want.IsZero() {
				must(t, failed(s.RecordSignIn(ctx, proven("u1", want, SignedIn))))
				must(t, failed(s.RecordSignIn(ctx, unproven("u1", want.Add(time.Minute), "failed"))))
			}
			p, err := s.Person(ctx, "u1")
			if err != nil || !p.SignedInAt.Equal(want) {
				t.Errorf("%v, want %v: %v", p.SignedInAt, want, err)
			}
		}
	})
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}

// signedIn gives u1 a session, and a grant with a token.
func signedIn(t *testing.T, s *DB) Approval {
	t.Helper()
	a := approve(t, s, "1", "a")
	_, err := s.Redeem(t.Context(), a.Code, nil, ofGrant(a, h("1")), t0, t0.Add(time.Hour))
	must(t, err)
	must(t, s.StartSession(t.Context(), Session{Hash: h("s"), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, Hash{}))
	return a
}

// left is what somebody still has: sessions, good grants and live tokens.
func left(t *testing.T, s *DB) [3]int {
	t.Helper()
	sessions, err := s.AllSessions(t.Context(), "u1", time.Time{}, nil, t0, 10)
	must(t, err)
	grants, err := s.GrantsOf(t.Context(), Whose{User: "u1"}, time.Time{}, "", t0, 10)
	must(t, err)
	tokens, err := s.TokensOf(t.Context(), Whose{User: "u1"}, 0, t0.Add(-time.Hour), 10)
	must(t, err)
	return [3]int{len(sessions), len(grants), len(tokens)}
}

func TestChangesOfPeople(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for _, row := range []struct {
			name   string
			change func(*DB, Person) error
			left   [3]int // sessions, grants, tokens
			err    error
		}{
			{"another name", change(func(u *User) { u.FullName, u.Email, u.EmailVerified = "Ada L.", "a@b", true }), [3]int{1, 1, 1}, nil},
			{"another password", change(func(u *User) { u.PasswordHash, u.PasswordAt = "y", t0 }), [3]int{0, 1, 1}, nil},
			{"disabled", change(func(u *User) { u.DisabledAt = t0 }), [3]int{0, 0, 0}, nil},
			{"refused", func(s *DB, p Person) error {
				return s.ChangePerson(t.Context(), "u1", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, errNo })
			}, [3]int{1, 1, 1}, errNo},
			{"nobody", func(s *DB, p Person) error {
				return s.ChangePerson(t.Context(), "u9", t0, func(p Person) (User, error) { return p.User, nil })
			}, [3]int{1, 1, 1}, ErrNotFound},
			{"factors removed", func(s *DB, p Person) error { return s.RemoveFactors(t.Context(), "u1", "all", agree) }, [3]int{0, 1, 1}, nil},
			{"roles", func(s *DB, p Person) error { return s.GiveRoles(t.Context(), "u1", []string{"x"}, t0, agree, none) }, [3]int{1, 1, 1}, nil},
			{"deletion refused", func(s *DB, p Person) error {
				return s.DeletePerson(t.Context(), "u1", func(Person) error { return errNo })
			}, [3]int{1, 1, 1}, errNo},
			{"deleted", func(s *DB, p Person) error { return s.DeletePerson(t.Context(), "u1", agree) }, [3]int{0, 0, 0}, nil},
			{"nobody to delete", func(s *DB, p Person) error { return s.DeletePerson(t.Context(), "u9", agree) }, [3]int{1, 1, 1}, ErrNotFound},
		} {
			s := open(t)
			signedIn(t, s)
			was, err := s.Person(t.Context(), "u1")
			must(t, err)
			if err := row.change(s, was); !errors.Is(err, row.err) {
				t.Errorf("%s: %v", row.name, err)
			}
			if got := left(t, s); got != row.left {
				t.Errorf("%s: left %v, want %v", row.name, got, row.left)
			}
		}
	})
}

// change sets fields, and looks whether they are there.
func change(set func(*User)) func(*DB, Person) error {
	return func(s *DB, was Person) error {
		ctx := context.Background()
		err := s.ChangePerson(ctx, was.ID, t0, func(p Person) (User, error) { set(&p.User); return p.User, nil })
		if err != nil {
			return err
		}
		set(&was.User)
		if now, err := s.Person(ctx, was.ID); err != nil || now.User != was.User {
			return fmt.Errorf("kept %+v, want %+v: %w", now.User, was.User, err)
		}
		return nil
	}
}

// Links for a new password, and browsers that are let in more easily, end with
// the password and with the account.
func TestWhatEndsWithAPassword(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, set := range map[string]func(*User){"": nil, "password": func(u *User) { u.PasswordHash = "y" }, "disabled": func(u *User) { u.DisabledAt = t0 }} {
			s, ctx := open(t), t.Context()
			must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
			must(t, s.AddReset(ctx, Ticket{Hash: h("reset"), Purpose: PasswordReset, UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, agree))
			_, err := s.write.Exec("INSERT INTO remembered_browsers (hash, user_id, agent, created_at, expires_at) VALUES ($1, 'u1', 'a', 1, 1)", []byte{1})
			must(t, err)
			must(t, s.ChangePerson(ctx, "u1", t0, func(p Person) (User, error) {
				if set != nil {
					set(&p.User)
				}
				return p.User, nil
			}))
			left := 0
			must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM tickets) + (SELECT count(*) FROM remembered_browsers)").Scan(&left))
			if (left == 0) != (set != nil) {
				t.Errorf("%q: %d left", name, left)
			}
		}
	})
}

// A link for a new password was made for what somebody had then: it is worth
// nothing once they have more, whoever gave it.
func TestResetLinksEndWithAnyRoleMore(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddPerson(ctx, User{ID: "u1", Name: "ada"}, []string{"user", "clerk"}, t0))
		must(t, s.AddPerson(ctx, User{ID: "u2", Name: "eve"}, nil, t0))
		reset := func(user string) Ticket {
			return Ticket{Hash: h(user), Purpose: PasswordReset, UserID: user, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		}
		must(t, s.AddReset(ctx, reset("u2"), agree))
		for _, row := range []struct {
			name string
			set  func() error
			want error
		}{
			{"the same", func() error { return s.GiveRoles(ctx, "u1", []string{"clerk", "user"}, t0, agree, none) }, nil},
			{"less", func() error { return s.GiveRoles(ctx, "u1", []string{"user"}, t0, agree, none) }, nil},
			{"refused", func() error {
				if err := s.GiveRoles(ctx, "u1", []string{"admin"}, t0, func(Person) error { return errNo }, none); !errors.Is(err, errNo) {
					return err
				}
				return nil
			}, nil},
			{"another", func() error { return s.GiveRoles(ctx, "u1", []string{"admin"}, t0, agree, none) }, ErrNotFound},
			{"by a provider", func() error { return s.SetRoles(ctx, "u1", GivenRoles{"corp", []string{"dba"}}, t0, none) }, ErrNotFound},
		} {
			must(t, s.AddReset(ctx, reset("u1"), agree))
			must(t, row.set())
			if _, err := s.Ticket(ctx, h("u1"), PasswordReset, t0); !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", row.name, err, row.want)
			}
		}
		if _, err := s.Ticket(ctx, h("u2"), PasswordReset, t0); err != nil {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

func TestFactorsAreCountedAndRemoved(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		for _, statement := range []string{
			"INSERT INTO code_generators (user_id, sealed, created_at, confirmed_at) VALUES ('u1', $1, 1, 1)",
			"INSERT INTO recovery_codes (user_id, hash) VALUES ('u1', $1)",
			"INSERT INTO passkeys (id, user_id, name, credential, counter, created_at) VALUES ($1, 'u1', 'k', '{}', 1, 1)",
		} {
			_, err := s.write.Exec(statement, []byte{1})
			must(t, err)
		}
		// Recovery codes stand in for a factor: they go with the last one.
		for _, row := range []struct {
			remove string
			left   [3]bool
		}{{"totp", [3]bool{false, true, true}}, {"browsers", [3]bool{false, true, true}}, {"passkey", [3]bool{}}, {"all", [3]bool{}}} {
			must(t, s.RememberBrowser(ctx, Browser{Hash: h(row.remove), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour), Era: s.eraOf(t, "u1")}))
			must(t, s.RemoveFactors(ctx, "u1", row.remove, agree))
			if p, err := s.Person(ctx, "u1"); err != nil || [3]bool{p.Generator, p.Recovery, p.Passkeys} != row.left {
				t.Errorf("without %s: %+v, %v", row.remove, p, err)
			}
			if all, err := s.Browsers(ctx, "u1", t0); err != nil || len(all) != 0 {
				t.Errorf("without %s: remembered %+v, %v", row.remove, all, err)
			}
		}
		want(t, s.RemoveFactors(ctx, "u1", "all", func(Person) error { return errNo }), errNo)
	})
}

func TestClientsAreChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for i := range 3 {
			must(t, s.AddStored(ctx, Client{ID: fmt.Sprint("c", i), Name: "robot", Dynamic: i == 1, CreatedAt: t0.Add(time.Duration(i) * time.Second)}, []string{"agent"}))
		}
		want(t, s.AddStored(ctx, Client{ID: "c1", CreatedAt: t0}, nil), ErrExists)
		yes := true
		for _, row := range []struct {
			filter ClientsFilter
			want   []string
		}{
			{ClientsFilter{Limit: 2}, []string{"c2", "c1"}},
			{ClientsFilter{Before: t0.Add(time.Second), ID: "c1", Limit: 2}, []string{"c0"}},
			{ClientsFilter{Dynamic: &yes, Limit: 9}, []string{"c1"}},
		} {
			all, err := s.StoredClients(ctx, row.filter)
			var ids []string
			for _, c := range all {
				ids = append(ids, c.ID)
			}
			if err != nil || !slices.Equal(ids, row.want) || !slices.Equal(all[0].Roles, []string{"agent"}) {
				t.Errorf("%+v: %v, %v", row.filter, ids, err)
			}
		}
		machine(t, s, "c0", "j1")
		for _, ends := range []bool{false, true} {
			must(t, s.ChangeClient(ctx, "c0", t0, func(c Stored) (ClientChange, error) {
				c.Name, c.Scope, c.SecretHash = "other", []string{"a"}, []byte{1}
				return ClientChange{c.Client, []string{"dba"}, ends}, nil
			}))
			if tok, err := s.AccessToken(ctx, "j1"); err != nil || tok.Revoked != ends {
				t.Errorf("ends %v: %+v, %v", ends, tok, err)
			}
		}
		c, err := s.StoredClient(ctx, "c0")
		if err != nil || c.Name != "other" || !slices.Equal(c.Scope, []string{"a"}) || !slices.Equal(c.Roles, []string{"dba"}) || c.SecretHash[0] != 1 {
			t.Errorf("%+v, %v", c, err)
		}
		want(t, s.ChangeClient(ctx, "c9", t0, func(c Stored) (ClientChange, error) { return ClientChange{Client: c.Client}, nil }), ErrNotFound)
		want(t, s.ChangeClient(ctx, "c0", t0, func(Stored) (ClientChange, error) { return ClientChange{}, errNo }), errNo)
		holders, err := s.ClientsWith(ctx, "agent", "c1", 9)
		if err != nil || len(holders) != 1 || holders[0] != (Holder{"c2", "robot", Assigned, t0.Add(2 * time.Second)}) {
			t.Errorf("%+v, %v", holders, err)
		}
	})
}

// machine gives a client that is there a token of its own.
func machine(t *testing.T, s *DB, client, id string) {
	t.Helper()
	_, err := s.Issue(t.Context(), AccessToken{ID: id, ClientID: client, Subject: client, ExpiresAt: t0.Add(time.Hour)})
	must(t, err)
}

func TestListsGoOn(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for i := range 5 {
			a := approve(t, s, fmt.Sprint(i), "a")
			_, err := s.Redeem(ctx, a.Code, nil, ofGrant(a, h(fmt.Sprint(i))), t0, t0.Add(time.Hour))
			must(t, err)
			must(t, s.StartSession(ctx, Session{Hash: h(fmt.Sprint(i)), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, Hash{}))
			_, err = s.write.Exec(`INSERT INTO sign_ins (user_id, at, outcome, reasons, address, agent, client_id, amr)
				VALUES ('u1', 1, $1, 'new_network new_agent', 'a', 'b', '', 'pwd')`, []string{"allow", "refuse"}[i%2])
			must(t, err)
		}
		var grants, tokens, sessions, signIns []string
		var g GrantOf
		var tok Token
		var v Session
		var in SignInRow
		for range 3 {
			gs, err := s.GrantsOf(ctx, Whose{Client: "c1"}, g.CreatedAt, g.ID, t0, 2)
			must(t, err)
			ts, err := s.TokensOf(ctx, Whose{User: "u1"}, tok.Place, t0.Add(-time.Hour), 2)
			must(t, err)
			vs, err := s.AllSessions(ctx, "", v.CreatedAt, v.Hash[:], t0, 2)
			must(t, err)
			is, err := s.SignInRows(ctx, "u1", "allow", in.Number, 1)
			must(t, err)
			g, tok, v, in = gs[len(gs)-1], ts[len(ts)-1], vs[len(vs)-1], is[0]
			for i := range gs {
				grants, tokens, sessions = append(grants, gs[i].ID), append(tokens, ts[i].ID), append(sessions, string(vs[i].Hash[:1]))
			}
			signIns = append(signIns, fmt.Sprint(in.Number, in.UserName, in.Reasons))
		}
		for name, got := range map[string][]string{"grants": grants, "tokens": tokens, "sessions": sessions} {
			if n := len(slices.Compact(sorted(got))); n != 5 {
				t.Errorf("%s: %d, %v", name, n, got)
			}
		}
		if !slices.Equal(signIns, []string{"5ada[new_network new_agent]", "3ada[new_network new_agent]", "1ada[new_network new_agent]"}) {
			t.Errorf("sign-ins: %q", signIns)
		}
	})
}

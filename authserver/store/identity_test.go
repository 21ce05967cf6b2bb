package store

import (
	"slices"
	"sync"
	"testing"
	"time"
)

var ada = Identity{Issuer: "https://corp.example", Subject: "ada-1815", Provider: "corp", UserID: "u1", Email: "ada@corp.example", LinkedAt: t0}

func TestIdentities(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
		must(t, s.AddUser(ctx, User{ID: "u2", Name: "eve", PasswordHash: "x"}, t0))
		_, err := s.Identity(ctx, ada.Issuer, ada.Subject)
		want(t, err, ErrNotFound)
		must(t, s.Link(ctx, ada))
		stolen := ada
		stolen.UserID = "u2"
		want(t, s.Link(ctx, stolen), ErrExists)
		want(t, s.Link(ctx, ada), ErrExists)
		// The same subject elsewhere is somebody else.
		elsewhere := Identity{Issuer: "https://other.example", Subject: ada.Subject, Provider: "other", UserID: "u2", LinkedAt: t0}
		must(t, s.Link(ctx, elsewhere))
		for _, v := range []Identity{ada, elsewhere} {
			if got, err := s.Identity(ctx, v.Issuer, v.Subject); err != nil || got != v {
				t.Errorf("got %+v, %v", got, err)
			}
		}
		used := ada
		used.UsedAt, used.Email = t0.Add(time.Hour), "ada@new.example"
		must(t, s.Admit(ctx, Admission{Session: Session{Hash: h("s"), UserID: "u1"}, Identity: &used}, t0, none))
		if got, err := s.Identities(ctx, "u1"); err != nil || !slices.Equal(got, []Identity{used}) {
			t.Errorf("got %+v, %v", got, err)
		}
		must(t, s.DeleteUser(ctx, "ada"))
		_, err = s.Identity(ctx, ada.Issuer, ada.Subject)
		want(t, err, ErrNotFound)
	})
}

func TestOneIdentityOfEachIssuer(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		must(t, s.Link(ctx, ada))
		another := ada
		another.Subject = "another"
		want(t, s.Link(ctx, another), ErrExists)
		another.Issuer = "https://other.example"
		must(t, s.Link(ctx, another))
	})
}

// comes is the sign-in of somebody new by an identity.
func comes(t *testing.T, s *DB, u User, v Identity) error {
	t.Helper()
	v.UserID = u.ID
	return s.Admit(t.Context(), Admission{Session: Session{Hash: h(u.ID), UserID: u.ID, ExpiresAt: t0.Add(time.Hour)}, SignIn: proven(u.ID, t0, SignedIn),
		Newcomer: &u, Identity: &v, Given: &GivenRoles{"corp", []string{"dba"}}}, t0, none)
}

func TestPeopleWhoComeFromElsewhere(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		u := User{ID: "u1", Name: "ada", Email: "ada@corp.example", EmailVerified: true}
		must(t, comes(t, s, u, ada))
		want(t, comes(t, s, User{ID: "u2", Name: "ada2"}, ada), ErrExists)
		another := ada
		another.Subject = "another"
		want(t, comes(t, s, User{ID: "u2", Name: "ADA"}, another), ErrExists)
		_, err := s.UserByID(ctx, "u2")
		want(t, err, ErrNotFound)
		if got, err := s.User(ctx, "ada"); err != nil || got.ID != "u1" || !got.EmailVerified {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.RolesOf(ctx, "u1"); err != nil || len(got) != 1 {
			t.Errorf("roles: %v, %v", got, err)
		}
		if _, err := s.Session(ctx, h("u1"), t0); err != nil {
			t.Errorf("the session: %v", err)
		}
		must(t, comes(t, s, User{ID: "u3", Name: "ada3", Email: "ADA@corp.example", EmailVerified: true}, another))
		if got, err := s.UserByID(ctx, "u3"); err != nil || got.EmailVerified {
			t.Errorf("an address of two: %+v, %v", got, err)
		}
	})
}

func TestLastWayIn(t *testing.T) {
	issuers := []string{ada.Issuer, "https://other.example"}
	everywhere(t, func(t *testing.T, open opener) {
		for name, row := range map[string]struct {
			user    User
			more    []Identity
			passkey string // cloned_at of one
			want    error
		}{
			"nothing else":                     {User{ID: "u1", Name: "ada"}, nil, "", ErrLastWay},
			"a password":                       {User{ID: "u1", Name: "ada", PasswordHash: "x"}, nil, "", nil},
			"another provider":                 {User{ID: "u1", Name: "ada"}, []Identity{{Issuer: issuers[1], Subject: "a", UserID: "u1"}}, "", nil},
			"a provider that is there no more": {User{ID: "u1", Name: "ada"}, []Identity{{Issuer: "https://gone.example", Subject: "a", UserID: "u1"}}, "", ErrLastWay},
			"a passkey":                        {User{ID: "u1", Name: "ada"}, nil, "0", nil},
			"a passkey that was copied":        {User{ID: "u1", Name: "ada"}, nil, "1", ErrLastWay},
		} {
			t.Run(name, func(t *testing.T) {
				s, ctx := open(t), t.Context()
				must(t, s.AddUser(ctx, row.user, t0))
				must(t, s.AddUser(ctx, User{ID: "u2", Name: "eve"}, t0))
				for _, v := range append(row.more, ada) {
					must(t, s.Link(ctx, v))
				}
				if row.passkey != "" {
					_, err := s.write.ExecContext(ctx, `INSERT INTO passkeys (id, user_id, name, credential, counter, created_at, cloned_at)
						VALUES ($1, 'u1', 'key', '{}', 0, 0, $2)`, []byte("k"), row.passkey)
					must(t, err)
				}
				want(t, s.Unlink(ctx, "u2", 0, ada.Issuer, ada.Subject, issuers), ErrNotFound)
				want(t, s.Unlink(ctx, "u1", 0, ada.Issuer, "nobody", issuers), ErrNotFound)
				want(t, s.Unlink(ctx, "u1", 0, ada.Issuer, ada.Subject, issuers), row.want)
				_, err := s.Identity(ctx, ada.Issuer, ada.Subject)
				if row.want == nil {
					want(t, err, ErrNotFound)
				} else {
					must(t, err)
				}
			})
		}
	})
}

// Two ways that are taken away at the same time are not both taken.
func TestOneWayInStays(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		issuers := []string{"https://a.example", "https://b.example", "https://c.example", "https://d.example"}
		for _, issuer := range issuers {
			v := ada
			v.Issuer = issuer
			must(t, s.Link(ctx, v))
		}
		var group sync.WaitGroup
		for _, issuer := range issuers {
			group.Go(func() { _ = s.Unlink(ctx, "u1", 0, issuer, ada.Subject, issuers) })
		}
		group.Wait()
		if left, err := s.Identities(ctx, "u1"); err != nil || len(left) == 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	})
}

func TestUserByAddress(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for _, u := range []User{
			{ID: "u1", Name: "ada", Email: "ada@corp.example", EmailVerified: true},
			{ID: "u2", Name: "eve", Email: "ada@corp.example"},
			{ID: "u3", Name: "bob", Email: "bob@corp.example"},
			{ID: "u6", Name: "fay", EmailVerified: true},
			{ID: "u7", Name: "gus", Email: "Gus@CORP.example", EmailVerified: true},
			{ID: "u8", Name: "hal", Email: "\u212Aim@corp.example", EmailVerified: true}, // the sign of Kelvin
		} {
			must(t, s.AddUser(ctx, u, t0))
		}
		for address, id := range map[string]string{"ada@corp.example": "u1", "ADA@corp.example": "u1", "gus@corp.example": "u7"} {
			if got, err := s.UserByAddress(ctx, address); err != nil || got.ID != id {
				t.Errorf("%s: %+v, %v", address, got, err)
			}
		}
		for _, address := range []string{"bob@corp.example", "kim@corp.example", "nobody@corp.example", ""} {
			_, err := s.UserByAddress(ctx, address)
			want(t, err, ErrNotFound)
		}
	})
}

func TestDepartures(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.Depart(ctx, h("a"), []byte("where to"), t0.Add(time.Minute)))
		must(t, s.Depart(ctx, h("late"), []byte("where to"), t0))
		var group sync.WaitGroup
		got := make(chan string, 8)
		for range cap(got) {
			group.Go(func() {
				if sealed, err := s.Return(ctx, h("a"), t0); err == nil {
					got <- string(sealed)
				}
			})
		}
		group.Wait()
		if len(got) != 1 || <-got != "where to" {
			t.Errorf("%d came back, want one", len(got)+1)
		}
		for _, hash := range []Hash{h("a"), h("late"), h("never")} {
			_, err := s.Return(ctx, hash, t0)
			want(t, err, ErrNotFound)
		}
		must(t, failed(s.Sweep(ctx, t0.Add(time.Hour), t0, 10)))
		var left int
		must(t, s.read.QueryRowContext(ctx, "SELECT count(*) FROM departures").Scan(&left))
		if left != 0 {
			t.Errorf("%d are left after the sweep", left)
		}
	})
}

func TestRolesThatNobodyGivesAnyMore(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for _, id := range []string{"u1", "u2", "u3"} {
			must(t, s.AddUser(ctx, User{ID: id, Name: id}, t0))
			must(t, s.SetRoles(ctx, id, GivenRoles{Assigned, []string{"admin"}}, t0, none))
		}
		must(t, s.SetRoles(ctx, "u1", GivenRoles{"corp", []string{"dba", "ops"}}, t0, none))
		must(t, s.SetRoles(ctx, "u2", GivenRoles{"corp", []string{"dba"}}, t0, none))
		must(t, s.SetRoles(ctx, "u3", GivenRoles{"gone", []string{"dba"}}, t0, none))
		users, err := s.KeepGiven(ctx, map[string][]string{"corp": {"dba"}, "new": nil}, t0, none)
		if err != nil || !slices.Equal(users, []string{"u1", "u3"}) {
			t.Errorf("got %v, %v", users, err)
		}
		for id, n := range map[string]int{"u1": 2, "u2": 2, "u3": 1} {
			if got, err := s.RolesOf(ctx, id); err != nil || len(got) != n {
				t.Errorf("%s: %v, %v", id, got, err)
			}
		}
	})
}

// An address that is verified opens accounts: it is one's.
func TestVerifiedAddressesAreOneAccounts(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddPerson(ctx, User{ID: "u1", Name: "ada", Email: "ada@corp.example", EmailVerified: true}, nil, t0))
		want(t, s.AddPerson(ctx, User{ID: "u2", Name: "eve", Email: "Ada@corp.example", EmailVerified: true}, nil, t0), ErrAddressTaken)
		must(t, s.AddPerson(ctx, User{ID: "u2", Name: "eve", Email: "ada@corp.example"}, nil, t0))
		must(t, s.AddPerson(ctx, User{ID: "u3", Name: "bob", Email: "bob@corp.example", EmailVerified: true}, nil, t0))
		for _, row := range []struct {
			id, email string
			verified  bool
			want      error
		}{
			{"u2", "ada@corp.example", true, ErrAddressTaken},
			{"u3", "ADA@corp.example", true, ErrAddressTaken},
			{"u3", "ada@corp.example", false, nil},
			{"u1", "ada@corp.example", true, nil},
			{"u2", "eve@corp.example", true, nil},
			{"u3", "", true, nil},
		} {
			want(t, s.ChangePerson(ctx, row.id, t0, func(p Person) (User, error) {
				p.Email, p.EmailVerified = row.email, row.verified
				return p.User, nil
			}), row.want)
		}
	})
}

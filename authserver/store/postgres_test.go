package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

func TestPostgresURLs(t *testing.T) {
	for _, row := range []struct{ name, url, want string }{
		{"no TLS asked for", "postgres://ada:hidden@db.example/x", "leaves open whether the connection is encrypted"},
		{"TLS if it pleases", "postgres://ada:hidden@db.example/x?sslmode=prefer", "leaves open"},
		{"TLS if it must", "postgres://ada:hidden@10.0.0.1/x?sslmode=allow", "leaves open"},
		{"one of two hosts in between", "postgres://ada:hidden@127.0.0.1,10.0.0.1/x", "leaves open"},
		{"unknown TLS", "postgres://ada:hidden@db.example/x?sslmode=hidden", "cannot be read"},
		{"no URL", "postgres://ada:hidden@%zz/x", "cannot be read"},
		{"one connection", "postgres://ada:hidden@localhost/x?pool_max_conns=1", "pool_max_conns in the database's URL must be a number from 2 to 1000"},
		{"no number of connections", "postgres://ada:hidden@localhost/x?pool_max_conns=hidden", "pool_max_conns"},
		{"commits that are lost", "postgres://ada:hidden@localhost/x?synchronous_commit=off", "synchronous_commit in the database's URL must be on or remote_apply"},
		{"commits in one place", "postgres://ada:hidden@localhost/x?synchronous_commit=local", "synchronous_commit"},
		{"commits in all places", "postgres://ada:hidden@localhost/x?synchronous_commit=remote_apply", ""},
		{"verified TLS", "postgres://ada:hidden@db.example/x?sslmode=verify-full", ""},
		{"said in so many words", "postgres://ada:hidden@db.example/x?sslmode=disable", ""},
		{"loopback", "postgres://ada:hidden@localhost/x", ""},
		{"socket", "postgres://ada:hidden@/x?host=/run/postgresql", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			conf, size, err := parsePostgres(row.url)
			if row.want == "" {
				if err != nil || size != connections || conf.ConnectTimeout != connectTimeout {
					t.Errorf("%d connections, %v", size, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v, want %q and nothing of the URL", err, row.want)
			}
		})
	}
}

func TestUnreachableServerKeepsThePassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://ada:hidden@/x?host="+t.TempDir())
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

// Each bound holds unless the URL has another; the pools are as large as it says.
func TestConnectionsAreBounded(t *testing.T) {
	for _, row := range []struct {
		name, more  string
		statement   string
		read, write int
	}{
		{"as they are", "", "10s", 8, 8},
		{"as the URL says", "&pool_max_conns=5&statement_timeout=3000", "3s", 2, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := openURL(t, newDatabase(t)+row.more)
			for name, want := range map[string]string{
				"statement_timeout": row.statement, "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s", "application_name": "postern",
			} {
				for _, db := range []*sql.DB{s.read.DB, s.write.DB} {
					var got string
					must(t, db.QueryRow("SHOW "+name).Scan(&got))
					if got != want {
						t.Errorf("%s is %s, want %s", name, got, want)
					}
				}
			}
			if r, w := s.read.Stats().MaxOpenConnections, s.write.Stats().MaxOpenConnections; r != row.read || w != row.write {
				t.Errorf("pools of %d and %d", r, w)
			}
		})
	}
}

// Whoever sets a database to lose what it confirms, before or while it is used,
// does not set it for our connections.
func TestForgetfulDatabase(t *testing.T) {
	address := newDatabase(t)
	forget := raw(t, address)
	var name string
	must(t, forget.QueryRow("SELECT current_database()").Scan(&name))
	s := openURL(t, address)
	_, err := forget.Exec("ALTER DATABASE " + pgx.Identifier{name}.Sanitize() + " SET synchronous_commit = off")
	must(t, err)
	t.Cleanup(func() {
		_, _ = forget.Exec("ALTER DATABASE " + pgx.Identifier{name}.Sanitize() + " RESET synchronous_commit")
	})
	s.write.SetMaxIdleConns(0) // so that the next one is new
	for how, s := range map[string]*DB{
		"one that is open":    s,
		"another":             openURL(t, address),
		"through its options": openURL(t, address+"&options=-c%20synchronous_commit%3Doff"),
	} {
		for _, db := range []*sql.DB{s.write.DB, s.read.DB} {
			var mode string
			must(t, db.QueryRow("SHOW synchronous_commit").Scan(&mode))
			if mode != "on" {
				t.Errorf("%s: %s", how, mode)
			}
		}
	}
	s = openURL(t, address+"&synchronous_commit=remote_apply")
	var mode string
	must(t, s.write.QueryRow("SHOW synchronous_commit").Scan(&mode))
	if mode != "remote_apply" {
		t.Errorf("the URL says remote_apply, and it is %s", mode)
	}
}

// Two transactions that each read what the other writes: one begins again and
// sees what the other did.
func TestTransactionsHaveAnOrder(t *testing.T) {
	s := openServer(t)
	var runs atomic.Int32
	var both, all sync.WaitGroup
	both.Add(2)
	for i := range 2 {
		all.Go(func() {
			err := s.tx(context.Background(), func(tx *sql.Tx) error {
				var keys int
				if err := tx.QueryRow("SELECT count(*) FROM signing_keys").Scan(&keys); err != nil {
					return err
				}
				if runs.Add(1) <= 2 {
					both.Done()
					both.Wait()
				}
				if keys > 0 {
					return ErrExists
				}
				_, err := tx.Exec("INSERT INTO users (id, name, password_hash, created_at) VALUES ($1, $2, '', 0)", string(rune('a'+i)), string(rune('a'+i)))
				if err == nil {
					_, err = tx.Exec("INSERT INTO signing_keys (id, sealed, created_at) VALUES ($1, '', 0)", string(rune('a'+i)))
				}
				return err
			})
			if err != nil && !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var keys, users int
	must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM signing_keys), (SELECT count(*) FROM users)").Scan(&keys, &users))
	if keys != 1 || users != 1 || runs.Load() != 3 {
		t.Errorf("%d keys, %d users in %d runs", keys, users, runs.Load())
	}
}

// What waits for a lock in vain, or for a caller who left, ends.
func TestWaitingEnds(t *testing.T) {
	address := newDatabase(t)
	s := openURL(t, address+"&lock_timeout=50")
	a := approve(t, s, "1", "a")
	hold, err := s.write.Begin()
	must(t, err)
	defer hold.Rollback()
	_, err = hold.Exec("SELECT 1 FROM grants FOR UPDATE")
	must(t, err)
	if err := s.RevokeGrant(t.Context(), a.Grant.ID, t0); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("got %v", err)
	}
	patient := openURL(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := patient.RevokeGrant(ctx, a.Grant.ID, t0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// The server restarts its sessions: the next call has a new connection.
func TestLostConnections(t *testing.T) {
	address := newDatabase(t)
	s := openURL(t, address)
	must(t, s.Ping(t.Context()))
	must(t, s.AddSigningKey(t.Context(), someKey("k", 1)))
	postgrestest.Exec(t, server(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postern'")
	eventually(t, func() error { return s.Ping(t.Context()) })
	eventually(t, func() error { return s.Spend(t.Context(), h("x"), t0) })
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// What was confirmed is there when PostgreSQL has recovered from a crash.
func TestServerCrashes(t *testing.T) {
	s := openServer(t)
	must(t, s.Spend(t.Context(), h("confirmed"), t0))
	var pid int
	must(t, s.write.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
	must(t, syscall.Kill(pid, syscall.SIGKILL)) // which ends every connection, and the server recovers
	eventually(t, func() error {
		err := s.Spend(t.Context(), h("confirmed"), t0)
		if err == nil {
			t.Fatal("what was confirmed is lost")
		}
		if errors.Is(err, ErrSpent) {
			return nil
		}
		return err
	})
}

// The role that docs/storage.md makes is enough.
func TestOrdinaryRole(t *testing.T) {
	page, err := os.ReadFile("../../docs/storage.md")
	must(t, err)
	_, script, _ := strings.Cut(string(page), "```sql\n")
	script, _, _ = strings.Cut(script, "```")
	for statement := range strings.Lines(script) {
		postgrestest.Exec(t, server(t), statement)
	}
	address := strings.Replace(postgrestest.On(server(t), "postern"), "postgres@", "postern@", 1)
	s := openURL(t, address)
	if at := s.Created(); !strings.HasPrefix(at, "postgres://") || strings.Contains(at, "@") || !strings.HasSuffix(at, "/postern") {
		t.Errorf("an empty database is new at %q", at)
	}
	if again := openURL(t, address); again.Created() != "" {
		t.Error("it is new again")
	}
	approve(t, s, "1", "a")
	var super bool
	must(t, s.read.QueryRow("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&super))
	if super {
		t.Error("this is the superuser: the test proves nothing")
	}
}

// A grant that is prolonged while the sweep is about to delete it stays.
func TestSweepSparesWhatIsProlonged(t *testing.T) {
	s := openServer(t)
	a := approve(t, s, "1", "a")
	due := a.Grant.ExpiresAt.Add(time.Second)
	tx, err := s.write.BeginTx(t.Context(), s.dialect.locking)
	must(t, err)
	defer tx.Rollback()
	must(t, keepGrant(t.Context(), tx, a.Grant.ID, due.Add(time.Hour)))
	swept := make(chan error, 1)
	go func() {
		_, err := s.Sweep(context.Background(), due, t0, 10)
		swept <- err
	}()
	eventually(t, func() error {
		var waiting int
		err := s.read.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM grants%'").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("the sweep does not wait")
		}
		return err
	})
	must(t, tx.Commit())
	must(t, <-swept)
	if g, err := s.Grant(t.Context(), a.Grant.ID); err != nil || !g.ExpiresAt.Equal(due.Add(time.Hour)) {
		t.Errorf("got %+v, %v", g, err)
	}
}

// Sweeps of two instances beside each other and beside requests.
func TestSweepsBesideWork(t *testing.T) {
	address := newDatabase(t)
	one, two := openURL(t, address), openURL(t, address)
	a := approve(t, one, "1", "a")
	for i := range 60 {
		must(t, placed(one.Issue(t.Context(), AccessToken{ID: fmt.Sprint("old", i), GrantID: a.Grant.ID, ClientID: "c1", Subject: "u1", ExpiresAt: t0})))
	}
	must(t, one.RevokeGrant(t.Context(), a.Grant.ID, t0))
	b := approve(t, two, "2", "a")
	b.Grant.ExpiresAt = t0.Add(24 * time.Hour)
	must(t, placed(two.Redeem(t.Context(), b.Code, nil, ofGrant(b, h("b")), t0, b.Grant.ExpiresAt)))
	var all sync.WaitGroup
	for _, s := range []*DB{one, two} {
		all.Go(func() {
			for more := true; more; {
				var err error
				if more, err = s.Sweep(context.Background(), t0.Add(time.Second), t0, 7); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for i := range 30 {
				if _, err := s.Issue(context.Background(), AccessToken{ID: fmt.Sprintf("%p %d", s, i), GrantID: b.Grant.ID, ClientID: "c1", Subject: "u1", ExpiresAt: t0.Add(time.Hour)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var kept, revoked int
	must(t, one.read.QueryRow("SELECT (SELECT count(*) FROM access_tokens), (SELECT count(*) FROM revocations)").Scan(&kept, &revoked))
	if kept != 61 || revoked != 0 {
		t.Errorf("%d tokens and %d revocations left", kept, revoked)
	}
}

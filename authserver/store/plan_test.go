package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	modernc "modernc.org/sqlite"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// hot is everything that requests do, and what goes on beside them.
func hot(t *testing.T, s *DB) {
	t.Helper()
	ctx := t.Context()
	a := approve(t, s, "1", "a")
	first := RefreshToken{Hash: h("r1"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
	second := RefreshToken{Hash: h("r2"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
	machineToken(t, s, "m1", "j1")
	d := waiting(t, s, "1")
	d.GrantID = "device grant 1"
	era := func() int64 { return s.eraOf(t, "u1") }
	linked := func() Identity { v := ada; v.Era = era(); return v }
	later := func() Grant { v := deviceGrant("1"); v.Era = era(); return v }
	ofDevice := AccessToken{ID: "of the device", GrantID: d.GrantID, ClientID: "c1", Subject: "u1", ExpiresAt: t0}
	for i, err := range decidedWork(t, s) {
		if err != nil {
			t.Errorf("operation %d on what waited elsewhere: %v", i, err)
		}
	}
	for i, err := range elsewhereWork(t, s) {
		if err != nil {
			t.Errorf("operation %d on sessions elsewhere: %v", i, err)
		}
	}
	for i, err := range []error{
		failed(s.Client(ctx, "m1")), failed(s.User(ctx, "ada")), failed(s.UserName(ctx, "u1")), failed(s.UserByID(ctx, "u1")), failed(s.Consent(ctx, a.Consent)),
		s.StartSession(ctx, Session{Hash: h("s"), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}, h("before")),
		failed(s.Session(ctx, h("s"), t0)), failed(s.Sessions(ctx, "u1", t0)), s.SeeSession(ctx, h("s"), t0),
		s.EndSession(ctx, h("s"), time.Time{}), failed(s.EndSessions(ctx, "u1", h("s"))), s.Spend(ctx, h("another"), t0),
		failed(s.Code(ctx, a.Code.Hash)), failed(s.Redeem(ctx, a.Code, &first, ofGrant(a, h("1")), t0, t0)),
		failed(s.DeviceRequest(ctx, d.Hash)), failed(s.DeviceRequestOf(ctx, d.UserCode)), s.PollDevice(ctx, d.Hash, t0),
		s.AllowDevice(ctx, d.Hash, later(), ""), failed(s.RedeemDevice(ctx, d, nil, ofDevice, t0, t0)),
		s.DenyDevice(ctx, waiting(t, s, "2").Hash, t0),
		failed(s.Refresh(ctx, first.Hash)), failed(s.Rotate(ctx, first.Hash, nil, second, ofGrant(a, h("2")), t0, t0)),
		failed(s.Extend(ctx, second, ofGrant(a, h("3")), t0)), failed(s.Grant(ctx, a.Grant.ID)),
		failed(s.AccessToken(ctx, "j1")), s.RevokeToken(On(ctx, Proof{User: "u1", Era: era(), Token: "j1"}), "j1"), s.RevokeGrant(ctx, a.Grant.ID, t0),
		s.SetRoles(ctx, "u1", GivenRoles{Assigned, []string{"admin"}}, t0, none), failed(s.RolesOf(ctx, "u1")), assign(t, s, "m1", "agent"),
		failed(s.ClientRoles(ctx, "m1")), s.SetRoles(ctx, "u1", GivenRoles{Assigned, nil}, t0, every),
		failed(s.RevokedPlaces(ctx, 0, 100)), failed(s.Revocations(ctx, 0, 10)),
		s.AddClient(ctx, Client{ID: "d1", Dynamic: true, CreatedAt: t0}, 10),
		failed(s.RecordSignIn(ctx, proven("u1", t0, SignedIn))), failed(s.RecordSignIn(ctx, unproven("u1", t0, "a"))),
		failed(s.SignInHistory(ctx, "u1", 10, t0)), failed(s.UnseenSignIns(ctx, "u1", 10)),
		s.SeeSignIns(ctx, "u1", t0, t0), failed(s.SweepSignIns(ctx, t0, t0, 10)),
		s.Link(ctx, linked()), failed(s.Identity(ctx, ada.Issuer, ada.Subject)), failed(s.Identities(ctx, "u1")),
		s.Admit(ctx, Admission{Session: Session{Hash: h("in"), UserID: "u1", Era: era()}, SignIn: proven("u1", t0, SignedIn), Identity: &ada, Given: &GivenRoles{"corp", []string{"dba"}}}, t0, every),
		failed(s.EndOthers(ctx, "u1", h("in"), Place{})),
		s.AddUser(ctx, User{ID: "u9", Name: "grace", Email: "grace@corp.example", EmailVerified: true}, t0), failed(s.UserByAddress(ctx, "grace@corp.example")),
		s.Depart(ctx, h("d"), []byte("to"), t0), failed(s.Return(ctx, h("d"), t0.Add(-time.Second))),
		failed(s.SetGenerator(ctx, Generator{UserID: "u1", Sealed: []byte("x"), CreatedAt: t0, Era: era()}, nil)), failed(s.Generator(ctx, "u1")), s.TakeStep(ctx, "u1", 1),
		s.SetRecoveryCodes(ctx, "u1", era(), []Hash{h("c")}), failed(s.RecoveryCodes(ctx, "u1")), s.UseRecoveryCode(ctx, "u1", h("c"), t0),
		failed(s.AddPasskey(ctx, Passkey{ID: []byte("k"), UserID: "u1", CreatedAt: t0, Era: era()}, nil)), failed(s.Passkeys(ctx, "u1")), s.UsePasskey(ctx, Passkey{ID: []byte("k"), UserID: "u1"}, t0),
		s.RenamePasskey(ctx, "u1", era(), []byte("k"), "n"), s.MarkCloned(ctx, "u1", []byte("k"), t0), s.RemovePasskey(ctx, "u1", era(), []byte("k"), nil),
		s.RememberBrowser(ctx, Browser{Hash: h("b"), UserID: "u1", ExpiresAt: t0.Add(time.Hour), Era: era()}), failed(s.Browsers(ctx, "u1", t0)), s.ForgetBrowsers(ctx, "u1", era(), h("b")),
		s.AddTicket(ctx, invitation("i")), failed(s.Tickets(ctx, Invitation, t0)), s.SignUp(ctx, invitation("i"), User{ID: "u77", Name: "newcomer", PasswordHash: "x"}, t0), s.RemoveTicket(ctx, h("i")),
		s.AddReset(ctx, Ticket{Hash: h("p"), Purpose: PasswordReset, UserID: "u1", ExpiresAt: t0.Add(time.Hour)}, agree), failed(s.Ticket(ctx, h("p"), PasswordReset, t0)),
		s.ResetPassword(ctx, Ticket{Hash: h("p"), Purpose: PasswordReset, UserID: "u1"}, "y", Place{}, t0), s.ChangePassword(ctx, User{ID: "u1", PasswordHash: "y", Era: era()}, "z", h("s"), Place{}, t0),
		s.RemoveGenerator(ctx, "u1", era()), failed(s.ConsentsOf(ctx, "u1")), s.Forget(ctx, "u1", "c1", t0),
		failed(s.Sweep(ctx, t0, t0, 10)), s.DeleteClient(ctx, "c1"), s.DeleteUser(ctx, "ada"),
	} {
		if err != nil {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	for i, err := range deskWork(t, s) {
		if err != nil {
			t.Errorf("operation %d of an administrator: %v", i, err)
		}
	}
	_, _, err := s.Places(ctx)
	must(t, err)
}

func failed[T any](_ T, err error) error { return err }

// tables must not be read whole. Signing keys are few, and always all wanted.
var tables = []string{"clients", "users", "sessions", "consents", "spent_requests", "grants", "codes", "refresh_tokens", "access_tokens", "revocations", "device_requests",
	"user_roles", "client_roles", "identities", "departures", "ended_sessions",
	"code_generators", "recovery_codes", "passkeys", "remembered_browsers", "tickets"}

// PostgreSQL counts how often it read a table whole, which it was told to avoid.
func TestNoRequestReadsAWholeTableInPostgres(t *testing.T) {
	address := postgrestest.Copy(t, server(t), migrated(t)) // whose counts are its own
	s, err := Open(t.Context(), address+"&enable_seqscan=off&plan_cache_mode=force_generic_plan")
	must(t, err)
	hot(t, s)
	must(t, s.Close()) // the counts are written when connections end
	db := raw(t, address)
	eventually(t, func() error {
		var scans int
		must(t, db.QueryRow("SELECT sum(idx_scan) FROM pg_stat_user_tables").Scan(&scans))
		if scans < 30 {
			return fmt.Errorf("%d uses of indexes", scans)
		}
		return nil
	})
	rows, err := db.Query("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE seq_scan > 0")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		must(t, rows.Scan(&name, &n))
		if slices.Contains(tables, name) {
			t.Errorf("%s was read whole %d times", name, n)
		}
	}
	must(t, rows.Err())
}

// SQLite says of each statement how it would go about it.
func TestNoRequestReadsAWholeTableInSQLite(t *testing.T) {
	path, _ := strings.CutPrefix(newFile(t), "sqlite:")
	s := openURL(t, "sqlite:"+path)
	notes := &notebook{}
	noted := poolsOver(notes.pool(path, "deferred"), notes.pool(path, "immediate"), s.dialect)
	defer noted.Close()
	hot(t, noted)
	if len(notes.queries) < 40 {
		t.Errorf("%d statements", len(notes.queries))
	}
	for query := range notes.queries {
		for _, step := range plan(t, s, query) {
			if table, ok := strings.CutPrefix(step, "SCAN "); ok && slices.Contains(tables, strings.Fields(table)[0]) && table != bounded {
				t.Errorf("%s\n%s", step, query)
			}
		}
	}
}

// bounded is the index of dynamic clients that were never used, of which only few are kept.
const bounded = "clients USING COVERING INDEX clients_unused"

func plan(t *testing.T, s *DB, query string) (steps []string) {
	t.Helper()
	rows, err := s.read.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "$"))...)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		must(t, rows.Scan(&id, &parent, &unused, &detail))
		steps = append(steps, detail)
	}
	must(t, rows.Err())
	return steps
}

// notebook has every statement that went through its pools.
type notebook struct {
	mu      sync.Mutex
	queries map[string]bool
}

func (n *notebook) note(query string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queries == nil {
		n.queries = map[string]bool{}
	}
	n.queries[query] = true
}

func (n *notebook) pool(path, lock string) *sql.DB {
	db := sql.OpenDB(notedConnector{source: dataSource(path, lock), notes: n})
	db.SetMaxOpenConns(1)
	return db
}

type notedConnector struct {
	source string
	notes  *notebook
}

func (c notedConnector) Driver() driver.Driver { return &modernc.Driver{} }

func (c notedConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.source)
	return notedConn{conn, c.notes}, err
}

type notedConn struct {
	driver.Conn
	notes *notebook
}

func (c notedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.notes.note(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c notedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.notes.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c notedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

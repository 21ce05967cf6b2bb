package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// dumps are databases as released versions left them, each with the same rows.
var dumps = []struct {
	file    string
	dialect dialect
	version int64
}{
	{"sqlite-1.sql", sqlite, 1},
	{"sqlite-2.sql", sqlite, 2},
	{"postgres-2.sql", postgres, 2},
}

// An older database keeps what is in it.
func TestOldSchemasUpgrade(t *testing.T) {
	for _, row := range dumps {
		t.Run(row.file, func(t *testing.T) {
			url := empty(t, row.dialect)
			run(t, url, fixture(t, row.file))
			checkUpgraded(t, openURL(t, url), row.version)
		})
	}
}

// The same from every version, built by its migrations: those between the
// dumps, and those that come after.
func TestEveryVersionUpgrades(t *testing.T) {
	for name, d := range map[string]dialect{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			for _, source := range versions(t, d) {
				if source.Version < 2 {
					continue // testdata/rows.sql has access tokens
				}
				url := empty(t, d)
				migrateTo(t, url, d, source.Version)
				run(t, url, inWords(d, fixture(t, "rows.sql")))
				checkUpgraded(t, openURL(t, url), source.Version)
			}
		})
	}
}

// A migration that has landed is never edited: it still makes what was dumped.
func TestLandedMigrationsStay(t *testing.T) {
	for _, row := range dumps {
		t.Run(row.file, func(t *testing.T) {
			then, now := empty(t, row.dialect), empty(t, row.dialect)
			run(t, then, fixture(t, row.file))
			migrateTo(t, now, row.dialect, row.version)
			if a, b := schema(t, then), schema(t, now); !slices.Equal(a, b) {
				t.Errorf("then:\n%s\nnow:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		})
	}
}

// A second start finds nothing to do.
func TestMigrationsRunOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		p, err := migrator(s.dialect, s.write.DB)
		must(t, err)
		results, err := p.Up(t.Context())
		if err != nil || len(results) > 0 {
			t.Errorf("a second start migrated: %v, %v", results, err)
		}
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	for name, d := range map[string]dialect{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			url := empty(t, d)
			s, err := Open(t.Context(), url)
			must(t, err)
			must(t, s.Close())
			applied := map[string]string{"sqlite": "1", "postgres": "true"}[name]
			run(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, "+applied+")")
			_, err = Open(t.Context(), url)
			want(t, err, errNewer)
		})
	}
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	return string(text)
}

// inWords writes bytes as the dialect does.
func inWords(d dialect, script string) string {
	if d.goose == goose.DialectPostgres {
		return strings.ReplaceAll(script, "x'", `'\x`)
	}
	return script
}

func empty(t *testing.T, d dialect) (url string) {
	t.Helper()
	if d.goose == goose.DialectPostgres {
		return postgrestest.Database(t, server(t))
	}
	return newFile(t)
}

// raw is a connection without the store.
func raw(t *testing.T, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", dataSource(path, "immediate")
	}
	db, err := sql.Open(driver, source)
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t *testing.T, url, script string) {
	t.Helper()
	db := raw(t, url)
	_, err := db.ExecContext(t.Context(), script)
	must(t, err)
	must(t, db.Close())
}

func versions(t *testing.T, d dialect) []*goose.Source {
	t.Helper()
	p, err := migrator(d, raw(t, empty(t, d)))
	must(t, err)
	return p.ListSources()
}

func migrateTo(t *testing.T, url string, d dialect, version int64) {
	t.Helper()
	db := raw(t, url)
	p, err := migrator(d, db)
	must(t, err)
	_, err = p.UpTo(t.Context(), version)
	must(t, err)
	must(t, db.Close())
}

// schema is a database's tables and indexes in words.
func schema(t *testing.T, url string) []string {
	t.Helper()
	query := `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
		FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`
	if strings.HasPrefix(url, "sqlite:") {
		query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1"
	}
	rows, err := raw(t, url).QueryContext(t.Context(), query)
	must(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		must(t, rows.Scan(&text))
		all = append(all, text)
	}
	must(t, rows.Err())
	return all
}

// checkUpgraded uses what testdata/rows.sql has put into a database of a version.
func checkUpgraded(t *testing.T, s *DB, from int64) {
	t.Helper()
	ctx := t.Context()
	if c, err := s.Client(ctx, "machine"); err != nil || c.Name != "robot" || !c.Bounded || c.Dynamic || len(c.SecretHash) != 1 {
		t.Errorf("from %d: client %+v, %v", from, c, err)
	}
	if c, err := s.Client(ctx, "c1"); err != nil || !c.Dynamic || c.Type != "native" || c.SecretHash != nil {
		t.Errorf("from %d: client %+v, %v", from, c, err)
	}
	if v, err := s.Session(ctx, h("s"), t0); err != nil || v.UserName != "ada" {
		t.Errorf("from %d: session %+v, %v", from, v, err)
	}
	if held, err := s.Consent(ctx, Consent{UserID: "u1", ClientID: "c1", RedirectHost: "host", Resource: "r"}); err != nil || len(held) != 2 {
		t.Errorf("from %d: consent %v, %v", from, held, err)
	}
	want(t, s.Spend(ctx, h("q"), t0), ErrSpent)
	if g, err := s.Grant(ctx, "g2"); err != nil || !g.Revoked || g.UserID != "u1" {
		t.Errorf("from %d: grant %+v, %v", from, g, err)
	}
	if r, err := s.Refresh(ctx, h("o")); err != nil || r.UsedAt.IsZero() || len(r.Successor) != 2 {
		t.Errorf("from %d: refresh token %+v, %v", from, r, err)
	}
	c, err := s.Code(ctx, h("c"))
	must(t, err)
	token := AccessToken{ID: "of the code", GrantID: "g1", ClientID: "c1", Subject: "u1", ExpiresAt: t0}
	first, err := s.Redeem(ctx, c, nil, token, t0, t0)
	must(t, err)
	token.ID = "of the refresh"
	second, err := s.Rotate(ctx, h("r"), nil, RefreshToken{Hash: h("next"), GrantID: "g1", ExpiresAt: t0}, token, t0, t0)
	must(t, err)
	if second <= first {
		t.Errorf("from %d: places %d and %d", from, first, second)
	}
	checkTokens(t, s, from)
}

// checkTokens: what the first schema knew of access tokens was only which were
// revoked, so all of its tokens count as unknown.
func checkTokens(t *testing.T, s *DB, from int64) {
	t.Helper()
	for id, revoked := range map[string]bool{"j1": false, "j2": true, "j3": false} {
		got, err := s.AccessToken(t.Context(), id)
		if from == 1 {
			want(t, err, ErrNotFound)
			continue
		}
		if err != nil || got.Revoked != revoked {
			t.Errorf("from %d: token %s: %+v, %v", from, id, got, err)
		}
	}
}

package store

import (
	"database/sql"
	"embed"
	"io"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The schema is written once, with SQLite's names of types. These are
// PostgreSQL's, whose INTEGER has 32 bits.
var inPostgres = strings.NewReplacer(
	"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	"INTEGER", "BIGINT",
	"BLOB", "BYTEA",
	") STRICT;", ");",
)

// migrator has the migrations for a dialect.
func migrator(d dialect, db *sql.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if d.goose == goose.DialectPostgres {
		files = translated{files}
	}
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	return goose.NewProvider(d.goose, db, files, options...)
}

// translated is the migrations as PostgreSQL reads them.
type translated struct{ fs.FS }

type translatedFile struct {
	fs.File
	text io.Reader
}

// Open opens a file for reading from its start to its end.
func (t translated) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return translatedFile{File: f, text: strings.NewReader(inPostgres.Replace(string(text)))}, nil
}

func (f translatedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

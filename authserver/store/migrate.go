package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
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

// upgrade brings the database to the newest schema, and says whether it was
// empty. One of a newer Postern is refused, because what that added, such as a
// revocation, would be overlooked.
func upgrade(ctx context.Context, p *goose.Provider) (created bool, err error) {
	steps, err := p.Up(ctx)
	if err != nil {
		return false, err
	}
	has, err := p.GetDBVersion(ctx)
	if err != nil {
		return false, err
	}
	sources := p.ListSources()
	if knows := sources[len(sources)-1].Version; has > knows {
		return false, fmt.Errorf("%w: schema %d, and this one knows %d", errNewer, has, knows)
	}
	return len(steps) == len(sources), nil
}

var errNewer = errors.New("the database belongs to a newer version of postern")

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

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestUnavailable(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want bool
	}{
		"in time":             {context.DeadlineExceeded, true},
		"a lost connection":   {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		"nobody listens":      {&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		"shut down":           {&pgconn.PgError{Code: "57P01"}, true},
		"too many of us":      {fmt.Errorf("x: %w", &pgconn.PgError{Code: "53300"}), true},
		"a standby":           {&pgconn.PgError{Code: "25006"}, true},
		"always in the way":   {&pgconn.PgError{Code: "40001"}, true},
		"what is beside it":   {fmt.Errorf("x: %w", ErrAway), true},
		"a wrong statement":   {&pgconn.PgError{Code: "42601"}, false},
		"a broken constraint": {&pgconn.PgError{Code: "23505"}, false},
		"the caller left":     {context.Canceled, false},
		"not found":           {ErrNotFound, false},
		"anything":            {errors.New("x"), false},
		"nothing":             {nil, false},
	} {
		if got := Unavailable(row.err); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A file that another holds, and one that cannot be opened.
func TestUnavailableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	one, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if _, err := one.Exec("CREATE TABLE x (y INTEGER); BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{path, filepath.Join(t.TempDir(), "absent", "a.db")} {
		other, err := sql.Open("sqlite", source)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.Exec("CREATE TABLE z (y INTEGER)"); !Unavailable(err) {
			t.Errorf("%s: %v", source, err)
		}
	}
	if _, err := one.Exec("SELECT nonsense"); err == nil || Unavailable(err) {
		t.Errorf("a wrong statement: %v", err)
	}
}

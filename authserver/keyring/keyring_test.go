package keyring

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

var daily = Policy{Algorithm: jose.ES256, RotateEvery: 24 * time.Hour, PublishBefore: time.Hour}

// leaving is a store that may be away.
type leaving struct {
	*store.DB
	away bool
}

var errAway = errors.New("the store is away")

func (l *leaving) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	if l.away {
		return nil, errAway
	}
	return l.DB.SigningKeys(ctx)
}

func open(t *testing.T, log *bytes.Buffer) (*Ring, *leaving) {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	at := &leaving{DB: db}
	mark := []byte("sealed:")
	written := slog.New(slog.NewTextHandler(log, nil))
	ring, err := Open(t.Context(), at, Config{
		Policy: daily, Kept: time.Hour, Now: time.Now, Log: written, Report: written.Log,
		Allowed: func(jose.Algorithm) bool { return true },
		Seal: Seal{
			Close: func(plain []byte, context string) []byte {
				return append(append(bytes.Clone(mark), context...), plain...)
			},
			Open: func(sealed []byte, context string) ([]byte, error) {
				plain, ok := bytes.CutPrefix(sealed, append(bytes.Clone(mark), context...))
				if !ok {
					return nil, errors.New("not sealed for this")
				}
				return plain, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring, at
}

// A store that is away leaves the keys as they are; the log says that it is, and
// that it is no more, each once.
func TestOutageIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	ring, db := open(t, &log)
	signer := ring.Signer().Public().ID()
	db.away = true
	for range 3 {
		if err := ring.Keep(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("got %v", err)
		}
	}
	if ring.Signer().Public().ID() != signer || ring.Published().Len() != 1 {
		t.Error("the keys are others")
	}
	db.away = false
	for range 3 {
		if err := ring.Keep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, line := range []string{"keys.neglected", "keys.kept_again"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%s %d times in\n%s", line, n, log.String())
		}
	}
}

func TestPolicies(t *testing.T) {
	if err := daily.Check(); err != nil {
		t.Error(err)
	}
	for want, bad := range map[string]Policy{
		"Keys.Algorithm":     {jose.Algorithm("HS256"), daily.RotateEvery, daily.PublishBefore},
		"Keys.RotateEvery":   {daily.Algorithm, time.Minute, 30 * time.Second},
		"Keys.PublishBefore": {daily.Algorithm, daily.RotateEvery, Soonest - 1},
	} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if err := (Policy{daily.Algorithm, daily.RotateEvery, 13 * time.Hour}).Check(); err == nil {
		t.Error("published for longer than half of its time")
	}
}

package shortlived

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/redistest"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/postgrestest"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

var t0, h = storetest.Now, storetest.Named

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

// keysOf seals with a secret, and opens what it or any of the earlier ones sealed.
func keysOf(t *testing.T, secrets ...string) Keys {
	t.Helper()
	var seals []cipher.AEAD
	for _, secret := range secrets {
		key := sha256.Sum256([]byte(secret))
		block, err := aes.NewCipher(key[:])
		must(t, err)
		seal, err := cipher.NewGCMWithRandomNonce(block)
		must(t, err)
		seals = append(seals, seal)
	}
	return Keys{
		Issuer: "https://auth.example",
		Salts:  secrets,
		Close:  func(plain []byte, name string) []byte { return seals[0].Seal(nil, nil, plain, []byte(name)) },
		Open: func(sealed []byte, name string) ([]byte, error) {
			for _, seal := range seals {
				if plain, err := seal.Open(nil, nil, sealed, []byte(name)); err == nil {
					return plain, nil
				}
			}
			return nil, errors.New("another seal")
		},
	}
}

// place is a database and a Redis, for as many stores as a test opens there.
type place struct {
	database string
	server   *redistest.Server
	client   *redis.Client
}

func newPlace(t *testing.T, database string) *place {
	t.Helper()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Address, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return &place{database: database, server: server, client: client}
}

func (p *place) open(t *testing.T) *Store {
	t.Helper()
	return p.openWith(t, keysOf(t, "secret"))
}

func (p *place) openWith(t *testing.T, keys Keys) *Store {
	t.Helper()
	db, err := store.Open(t.Context(), p.database)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return New(db, NewRedis(p.client, "short:", 10*time.Second), keys, func() time.Time { return t0 })
}

// everywhere runs a test over every kind of database, in as many empty places
// as it asks for.
func everywhere(t *testing.T, test func(*testing.T, func(*testing.T) *place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, onFile) })
	t.Run("postgres", func(t *testing.T) { test(t, onServer) })
}

func onFile(t *testing.T) *place {
	t.Helper()
	return newPlace(t, storetest.File(t))
}

func onServer(t *testing.T) *place {
	t.Helper()
	address, template := server(t)
	return newPlace(t, postgrestest.Borrow(t, address, template))
}

var running = struct {
	sync.Mutex
	address string
	stop    func()
}{stop: func() {}}

// server is the one PostgreSQL of this run, and a database on it with the
// newest schema, to copy.
func server(t *testing.T) (address, template string) {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if running.address != "" {
		return running.address, "migrated"
	}
	address, stop, err := postgrestest.Serve()
	must(t, err)
	running.stop = stop
	postgrestest.Exec(t, address, "CREATE DATABASE migrated")
	db, err := store.Open(t.Context(), postgrestest.On(address, "migrated"))
	must(t, err)
	must(t, db.Close())
	running.address = address
	return address, "migrated"
}

func TestMain(m *testing.M) {
	code := m.Run()
	running.stop()
	os.Exit(code)
}

// Package postgrestest starts a real PostgreSQL for a test.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const startTimeout = 60 * time.Second

// Start runs a server until the test ends and returns the superuser's URL; the
// database is "postgres".
func Start(t testing.TB) string {
	t.Helper()
	address, stop, err := Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return address
}

// Serve runs a server in a temporary folder, reachable by a socket in it and
// nowhere else, until stop is called. It returns the superuser's URL; the
// database is "postgres".
func Serve() (address string, stop func(), err error) {
	bin, err := Binaries()
	if err != nil {
		return "", nil, err
	}
	// Short, because socket paths are; and where the server's user can reach it.
	folder, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		return "", nil, err
	}
	address = "postgres://postgres@/postgres?host=" + url.QueryEscape(folder)
	end, err := serve(bin, folder, address)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	return address, func() { end(); _ = os.RemoveAll(folder) }, nil
}

func serve(bin, folder, address string) (stop func(), err error) {
	run, err := as(folder)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	initdb := run(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	server := run(filepath.Join(bin, "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	if err := await(address, ended); err != nil {
		_ = server.Process.Kill()
		return nil, fmt.Errorf("postgres does not come up: %w", err)
	}
	return func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		<-ended
	}, nil
}

// Binaries is the folder of the newest installed server and its tools.
func Binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL's server is missing: apt-get install postgresql")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(binary string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(binary))))
	return n
}

// as gives the folder to a user that PostgreSQL agrees to run as, which root is
// not, and returns a constructor of that user's commands.
func as(folder string) (func(name string, arguments ...string) *exec.Cmd, error) {
	var attributes syscall.SysProcAttr
	attributes.Pdeathsig = syscall.SIGKILL
	if os.Geteuid() == 0 {
		owner, err := serverUser()
		if err != nil {
			return nil, err
		}
		if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
		attributes.Credential = owner
	}
	return func(name string, arguments ...string) *exec.Cmd {
		command := exec.Command(name, arguments...)
		command.Dir = folder
		command.SysProcAttr = &attributes
		return command
	}, nil
}

func serverUser() (*syscall.Credential, error) {
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the user postgres is missing: apt-get install postgresql: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		return nil, fmt.Errorf("the user postgres has the ids %s and %s", account.Uid, account.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func await(address string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case end := <-ended:
			return fmt.Errorf("it ended: %v", end)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Exec runs a script on the database.
func Exec(t testing.TB, address, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, script).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
}

// Database creates an empty database on a server and returns its URL.
func Database(t testing.TB, server string) string {
	t.Helper()
	return Copy(t, server, "template1")
}

// Copy creates a database like another of the same server, to which nobody is
// connected, and returns its URL.
func Copy(t testing.TB, server, database string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	Exec(t, server, "CREATE DATABASE "+name+" TEMPLATE "+database)
	return On(server, name)
}

// free are databases that tests have given back, by server and template.
var free = struct {
	sync.Mutex
	urls map[string][]string
}{urls: map[string][]string{}}

// Borrow is Copy for a test that writes no tables of its own: the database is
// emptied when the test ends, for the next to borrow, which is quicker.
func Borrow(t testing.TB, server, database string) string {
	t.Helper()
	free.Lock()
	defer free.Unlock()
	key := On(server, database)
	kept := free.urls[key]
	if len(kept) == 0 {
		kept = []string{Copy(t, server, database)}
	}
	url := kept[len(kept)-1]
	free.urls[key] = kept[:len(kept)-1]
	t.Cleanup(func() {
		Exec(t, url, empty)
		free.Lock()
		defer free.Unlock()
		free.urls[key] = append(free.urls[key], url)
	})
	return url
}

// empty deletes all rows but what the migrations have noted, and lets numbers
// begin again.
const empty = `SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
	FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version' LOOP
		EXECUTE format('DELETE FROM %I', name);
	END LOOP;
	FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'goose%' LOOP
		EXECUTE format('ALTER SEQUENCE %I RESTART', name);
	END LOOP;
END $$`

// On is the URL of a database of the server.
func On(server, database string) string {
	return strings.Replace(server, "@/postgres?", "@/"+database+"?", 1)
}

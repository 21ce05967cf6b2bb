// Package postgrestest starts a real PostgreSQL for a test.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const startTimeout = 60 * time.Second

// Start runs a server in a temporary folder, reachable by a socket in it and
// nowhere else, until the test ends. It returns the superuser's URL; the
// database is "postgres".
func Start(t testing.TB) string {
	t.Helper()
	bin := binaries(t)
	// Not t.TempDir: the server's user must reach it, and socket paths are short.
	folder, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	run := as(t, folder)
	data := filepath.Join(folder, "data")
	initdb := run(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := run(filepath.Join(bin, "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		<-ended
	})
	address := "postgres://postgres@/postgres?host=" + url.QueryEscape(folder)
	if err := await(address, ended); err != nil {
		t.Fatalf("postgres does not come up: %v", err)
	}
	return address
}

// binaries is the folder of the newest installed server.
func binaries(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Fatal("PostgreSQL's server is missing: apt-get install postgresql")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1])
}

func version(binary string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(binary))))
	return n
}

// as gives the folder to a user that PostgreSQL agrees to run as, which root is
// not, and returns a constructor of that user's commands.
func as(t testing.TB, folder string) func(name string, arguments ...string) *exec.Cmd {
	t.Helper()
	var attributes syscall.SysProcAttr
	attributes.Pdeathsig = syscall.SIGKILL
	if os.Geteuid() == 0 {
		attributes.Credential = serverUser(t)
		if err := os.Chown(folder, int(attributes.Credential.Uid), int(attributes.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string, arguments ...string) *exec.Cmd {
		command := exec.Command(name, arguments...)
		command.Dir = folder
		command.SysProcAttr = &attributes
		return command
	}
}

func serverUser(t testing.TB) *syscall.Credential {
	t.Helper()
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("the user postgres is missing: apt-get install postgresql: %v", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("the user postgres has the ids %s and %s", account.Uid, account.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
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

// Database creates an empty database on the server that Start returned and
// returns its URL.
func Database(t testing.TB, server string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	Exec(t, server, "CREATE DATABASE "+name)
	return strings.Replace(server, "@/postgres?", "@/"+name+"?", 1)
}

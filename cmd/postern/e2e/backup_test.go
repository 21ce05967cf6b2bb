package e2e

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// The commands of docs/storage.md, in its words.
const (
	backupSQLite    = `(umask 077 && sqlite3 authserver.db "VACUUM INTO 'backup.db'")`
	restoreSQLite   = `rm -f authserver.db authserver.db-wal authserver.db-shm && mv backup.db authserver.db`
	backupPostgres  = `(umask 077 && pg_dump --format=custom --file=backup.dump "$URL")`
	restorePostgres = `pg_restore --exit-on-error --no-owner --dbname="$NEW_URL" backup.dump`
)

// shell runs a command of the documentation in the desk's folder.
func (d *desk) shell(t *testing.T, command string, environment ...string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/storage.md")
	if err != nil || !strings.Contains(string(page), "\n"+command+"\n") {
		t.Errorf("docs/storage.md does not say %s (%v)", command, err)
	}
	bin, err := postgrestest.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-ec", command)
	c.Dir, c.Env = d.dir, append(os.Environ(), append(environment, "PATH="+bin+":"+os.Getenv("PATH"))...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// A copy taken while the server works, put in the place of the database.
func TestBackupAndRestore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		d := deskOnDatabase(t, "")
		backUp(t, d, func() { d.shell(t, backupSQLite) }, func() { d.shell(t, restoreSQLite) })
		if info, err := os.Stat(filepath.Join(d.dir, "authserver.db")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		soundFile(t, filepath.Join(d.dir, "authserver.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		first, second := databases.empty(t), databases.empty(t)
		d := deskOnDatabase(t, first)
		backUp(t, d, func() { d.shell(t, backupPostgres, "URL="+first) }, func() {
			d.shell(t, restorePostgres, "NEW_URL="+second)
			write(t, filepath.Join(d.dir, "database"), second+"\n")
		})
	})
}

func backUp(t *testing.T, d *desk, save, restore func()) {
	t.Helper()
	kept, ended := d.granted(t), d.granted(t)
	d.revoke(t, ended.Refresh)
	unused := d.code(t, d.public)
	stop := d.busy(t)
	save()
	stop()
	lost := d.granted(t)
	d.server.kill()
	restore()
	d.serve(t)
	if d.listed(t, kept.Access) || !d.listed(t, ended.Access) {
		t.Error("revocations are not those of the copy")
	}
	again := func(token string) reply {
		return d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {d.public}})
	}
	again(kept.Refresh).expect(t, http.StatusOK)
	again(ended.Refresh).refuses(t, http.StatusBadRequest, "invalid_grant")
	again(lost.Refresh).refuses(t, http.StatusBadRequest, "invalid_grant")
	d.ask(t, "/token", redeeming(d.public, unused)).expect(t, http.StatusOK)
	d.stage.token(t, d.robot, "only")
}

// busy lets a machine fetch tokens until stop is called.
func (d *desk) busy(t *testing.T) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		w := &witness{d: d, ctx: t.Context()}
		for {
			select {
			case <-ended:
				return
			default:
				w.ask("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}, "Authorization", basicAuth(d.robot))
			}
		}
	})
	return func() { close(ended); work.Wait() }
}

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// kills is how many times an authorization server is killed, on each kind of
// database, each time after some things were answered for.
const kills = 6

// What was answered for holds after every kill, and what was not answered for
// was done whole or not at all.
func TestKilledWhileWriting(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		d := deskOnDatabase(t, "")
		killOverAndOver(t, d)
		d.server.kill()
		soundFile(t, filepath.Join(d.dir, "authserver.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		killOverAndOver(t, deskOnDatabase(t, databases.empty(t)))
	})
	t.Run("postgres and redis", func(t *testing.T) {
		b := openShortLived(t)
		b.robot = b.machine(t)
		killOverAndOver(t, b.desk)
	})
}

// deskOnDatabase is a desk on the PostgreSQL at a URL; "" for a SQLite file.
func deskOnDatabase(t *testing.T, databaseURL string) *desk {
	t.Helper()
	s := setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}})
	if databaseURL != "" {
		text, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.dir, "database"), databaseURL+"\n")
		write(t, s.config, strings.Replace(string(text), "database: sqlite:authserver.db", "database_url_file: database", 1))
	}
	d := &desk{stage: s, user: person{"ada", adasPassword}}
	d.serve(t)
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.public = d.register(t, deskCallback, "refresh_token")
	d.robot, d.target = d.machine(t), d.resource("only")
	return d
}

func soundFile(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		t.Errorf("integrity: %s, %v", said, err)
	}
	if err := db.QueryRow("PRAGMA foreign_key_check").Scan(&said); err != sql.ErrNoRows {
		t.Errorf("a row refers to nothing: %s, %v", said, err)
	}
}

// witness is a client whose server dies again and again, and what it was told.
type witness struct {
	d       *desk
	ctx     context.Context
	mu      sync.Mutex
	live    []string // access tokens that were given and nobody revoked
	revoked []string // access tokens whose revocation was confirmed
	used    []string // codes that were redeemed
	wrong   []string // what must not happen
}

func killOverAndOver(t *testing.T, d *desk) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	w := &witness{d: d, ctx: ctx}
	var work sync.WaitGroup
	for range 4 {
		chain := d.granted(t).Refresh
		work.Go(func() { w.refreshes(chain) })
	}
	browser := newWindow(t)
	for range 3 {
		code := d.authorize(t, browser, d.asking(d.public)).Get("code")
		work.Go(func() { w.redeems(code) })
	}
	for range 2 {
		work.Go(w.revokes)
	}
	for range kills {
		live, revoked := w.told()
		eventually(t, func() error { return w.since(live, revoked) })
		time.Sleep(rand.N(100 * time.Millisecond))
		d.server.signal(syscall.SIGKILL)
		<-d.server.done
		d.serve(t)
	}
	end()
	work.Wait()
	w.check(t)
}

func (w *witness) told() (live, revoked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.live), len(w.revoked)
}

// since says whether the witness was told of some more tokens, and of a
// revocation more.
func (w *witness) since(live, revoked int) error {
	if now, gone := w.told(); now < live+5 || gone == revoked {
		return fmt.Errorf("%d tokens and %d revocations", now-live, gone-revoked)
	}
	return nil
}

// ask posts until there is an answer or the time is over; lost says whether an
// answer got lost before.
func (w *witness) ask(path string, form url.Values, header ...string) (status int, said told, lost, ok bool) {
	for w.ctx.Err() == nil {
		status, said, err := w.once(path, form, header...)
		if err == nil && status != http.StatusTooManyRequests {
			return status, said, lost, true
		}
		lost = lost || err != nil
		time.Sleep(10 * time.Millisecond)
	}
	return 0, told{}, lost, false
}

func (w *witness) once(path string, form url.Values, header ...string) (status int, said told, err error) {
	req, err := http.NewRequest(http.MethodPost, w.d.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, told{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, told{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &said)
	}
	return resp.StatusCode, said, err
}

func (w *witness) note(list *[]string, entry string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, entry)
}

// refreshes: whatever happens, the token that was told last goes on, once.
func (w *witness) refreshes(token string) {
	for {
		status, said, _, ok := w.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {w.d.public}})
		if !ok {
			return
		}
		if status != http.StatusOK {
			w.note(&w.wrong, fmt.Sprintf("a refresh got %d %s", status, said.Error))
			return
		}
		w.note(&w.live, said.Access)
		token = said.Refresh
	}
}

// redeems: a code whose answer was lost may have been used.
func (w *witness) redeems(code string) {
	status, said, lost, ok := w.ask("/token", redeeming(w.d.public, code))
	switch {
	case !ok:
	case status == http.StatusOK:
		w.note(&w.used, code)
	case !lost || said.Error != "invalid_grant":
		w.note(&w.wrong, fmt.Sprintf("a code got %d %s", status, said.Error))
	}
}

// revokes: of a machine's own tokens every second.
func (w *witness) revokes() {
	for i := 0; ; i++ {
		status, said, _, ok := w.ask("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.d.target}}, "Authorization", basicAuth(w.d.robot))
		if !ok {
			return
		}
		if status != http.StatusOK {
			w.note(&w.wrong, fmt.Sprintf("a machine got %d %s", status, said.Error))
			return
		}
		if i%2 == 0 {
			w.note(&w.live, said.Access)
			continue
		}
		if status, _, _, ok := w.ask("/revoke", url.Values{"token": {said.Access}}, "Authorization", basicAuth(w.d.robot)); ok && status == http.StatusOK {
			w.note(&w.revoked, said.Access)
		}
	}
}

func (w *witness) check(t *testing.T) {
	t.Helper()
	t.Logf("%d live tokens, %d revoked, %d codes", len(w.live), len(w.revoked), len(w.used))
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	made := w.d.administer(t, "", "resource-server", "create", "checker", "--resource", w.d.target)
	checker := basicAuth(machine{ID: made["client_id"], Secret: made["client_secret"]})
	active := func(token string) bool {
		return w.d.ask(t, "/introspect", url.Values{"token": {token}}, "Authorization", checker).expect(t, http.StatusOK).told(t).Active
	}
	for _, token := range w.live {
		if !active(token) || w.d.listed(t, token) {
			t.Error("a token that was given is unknown or revoked")
		}
	}
	for _, token := range w.revoked {
		if active(token) || !w.d.listed(t, token) {
			t.Error("a confirmed revocation is lost")
		}
	}
	for _, code := range w.used {
		w.d.ask(t, "/token", redeeming(w.d.public, code)).refuses(t, http.StatusBadRequest, "invalid_grant")
	}
}

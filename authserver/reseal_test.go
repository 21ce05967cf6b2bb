package authserver

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

var (
	oldSecret = []byte(strings.Repeat("s", 32)) // of baseConfig
	newer     = []byte(strings.Repeat("n", 32))
)

// restart closes the server and opens it with these secrets.
func (g *rig) restart(secret, previous []byte) error {
	g.t.Helper()
	if err := g.s.Close(); err != nil {
		g.t.Fatal(err)
	}
	s, err := g.reopen(func(c *Config) { c.Secret, c.PreviousSecret = secret, previous })
	if err != nil {
		return err
	}
	g.t.Cleanup(func() { _ = s.Close() })
	g.s, g.serve = s, s.Handler()
	return nil
}

func (g *rig) mustRestart(secret, previous []byte) {
	g.t.Helper()
	if err := g.restart(secret, previous); err != nil {
		g.t.Fatal(err)
	}
}

// The secret changes; nothing that was sealed before is lost, and after
// resealing the old secret opens nothing any more.
func TestResealing(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	reused, repeated := g.tokens(id), g.tokens(id)
	g.expect(g.post("/token", refreshing(id, reused)), 200, "")
	last := g.post("/token", refreshing(id, repeated))
	signer := g.signerID()

	g.mustRestart(newer, oldSecret)
	if again := g.post("/token", refreshing(id, repeated)); again.str("refresh_token") != last.str("refresh_token") {
		t.Errorf("what the old secret sealed does not open: %s", again.body)
	}
	if n, err := g.s.Reseal(t.Context()); err != nil || n != 3 { // the signing key, two successors
		t.Errorf("%d sealed, %v", n, err)
	}
	g.mustRestart(newer, nil)
	if g.signerID() != signer {
		t.Error("another key signs")
	}
	if again := g.post("/token", refreshing(id, repeated)); again.str("refresh_token") != last.str("refresh_token") {
		t.Errorf("a successor was not resealed: %s", again.body)
	}
	g.clock.forward(rotationGrace + time.Second)
	g.expect(g.post("/token", refreshing(id, reused)), 400, "invalid_grant")
	g.expectReason(RefreshReused)

	if err := g.restart(oldSecret, nil); err == nil || !strings.Contains(err.Error(), "does not open with this secret") {
		t.Errorf("with the old secret: %v", err)
	}
}

func TestResealingGoesInBatches(t *testing.T) {
	g := newRig(t)
	db := g.database()
	g.tokens(g.publicClient())
	for i := range resealBatch + 1 {
		hash := hashOf(string(rune(i)))
		sealed := g.s.seals.successors.close([]byte("x"), contextOf(hash))
		if _, err := db.Exec("INSERT INTO refresh_tokens (hash, grant_id, thumbprint, expires_at, successor) SELECT $1, id, '', 0, $2 FROM grants LIMIT 1", hash[:], sealed); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := g.s.Reseal(t.Context()); err != nil || n != resealBatch+2 {
		t.Errorf("%d sealed, %v", n, err)
	}
}

// swap exchanges what two rows of a table hold in a column.
func (g *rig) swap(table, name, column string) {
	g.t.Helper()
	db := g.database()
	var names, values [2]any
	for i, order := range []string{"ASC", "DESC"} {
		row := db.QueryRow("SELECT " + name + ", " + column + " FROM " + table + " WHERE " + column + " IS NOT NULL ORDER BY " + name + " " + order)
		if err := row.Scan(&names[i], &values[i]); err != nil {
			g.t.Fatal(err)
		}
	}
	for i := range names {
		if _, err := db.Exec("UPDATE "+table+" SET "+column+" = $1 WHERE "+name+" = $2", values[1-i], names[i]); err != nil {
			g.t.Fatal(err)
		}
	}
}

// Rows of a database that somebody else can write do not pass for each other.
func TestSealedRowsCannotBeSwapped(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	one, two := g.tokens(id), g.tokens(id)
	g.expect(g.post("/token", refreshing(id, one)), 200, "")
	g.expect(g.post("/token", refreshing(id, two)), 200, "")
	if _, err := g.s.keys.Rotate(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	g.swap("refresh_tokens", "hash", "successor")
	g.swap("signing_keys", "id", "sealed")
	for _, a := range []answerOf{one, two} {
		if got := g.post("/token", refreshing(id, a)); got.status != 500 {
			t.Errorf("somebody else's successor: %d %s", got.status, got.body)
		}
	}
	n, err := g.s.Reseal(t.Context())
	if err == nil || n != 0 || !strings.Contains(err.Error(), "2 signing keys open with neither secret") {
		t.Errorf("resealed %d: %v", n, err)
	}
	if err := g.restart(oldSecret, nil); err == nil {
		t.Error("started with keys under each other's names")
	}
}

func TestSealsBelongToOnePurpose(t *testing.T) {
	keys, err := newSeal(newer, oldSecret, "signing keys")
	if err != nil {
		t.Fatal(err)
	}
	before, err := newSeal(oldSecret, nil, "signing keys")
	if err != nil {
		t.Fatal(err)
	}
	forms, err := newSeal(newer, nil, "pending requests")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		sealed  []byte
		context string
		opens   bool
	}{
		{"current", keys.close([]byte("x"), "a"), "a", true},
		{"previous", before.close([]byte("x"), "a"), "a", true},
		{"another row", keys.close([]byte("x"), "a"), "b", false},
		{"another row, previous", before.close([]byte("x"), "a"), "b", false},
		{"another purpose", forms.close([]byte("x"), "a"), "a", false},
		{"a bit", flipped(keys.close([]byte("x"), "a")), "a", false},
		{"nothing", nil, "a", false},
	} {
		if plain, err := keys.open(row.sealed, row.context); (err == nil) != row.opens || row.opens != bytes.Equal(plain, []byte("x")) {
			t.Errorf("%s: %q, %v", row.name, plain, err)
		}
	}
	if _, err := before.open(keys.close([]byte("x"), "a"), "a"); err == nil {
		t.Error("the previous secret opens what the current one sealed")
	}
}

func flipped(b []byte) []byte {
	b[len(b)-1] ^= 1
	return b
}

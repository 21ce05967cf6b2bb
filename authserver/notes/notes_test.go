package notes

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/redistest"
)

func keyOf(name string) Key { return sha256.Sum256([]byte(name)) }

func TestNotes(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	one, two := NewRedis(client, "notes:", 10*time.Second), NewRedis(client, "notes:", 10*time.Second)
	put := func(key, text string, life time.Duration) {
		t.Helper()
		if err := one.Put(t.Context(), keyOf(key), []byte(text), life); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(key, want string) {
		t.Helper()
		if got, err := two.Get(t.Context(), keyOf(key)); string(got) != want || err != nil {
			t.Errorf("%s: %q %v, want %q", key, got, err, want)
		}
	}

	expect("ada", "")
	put("ada", "first", time.Hour)
	put("eve", "other", time.Hour)
	put("ada", "second", time.Minute)
	expect("ada", "second")
	expect("eve", "other")
	for _, name := range client.Keys(t.Context(), "*").Val() {
		if life := client.PTTL(t.Context(), name).Val(); !strings.HasPrefix(name, "notes:") || strings.Contains(name, "ada") || life <= 0 {
			t.Errorf("%s lives for %v", name, life)
		}
	}
	if life := client.PTTL(t.Context(), one.name(keyOf("ada"))).Val(); life > time.Minute {
		t.Errorf("a note for a minute lives for %v", life)
	}

	put("short", "soon gone", 20*time.Millisecond)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got, err := two.Get(t.Context(), keyOf("short")); got == nil && err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal("a note stays after its time")
		}
	}

	server.Stop(t)
	if got, err := two.Get(t.Context(), keyOf("ada")); got != nil || err == nil {
		t.Errorf("away: %q %v", got, err)
	}
	if err := one.Put(t.Context(), keyOf("ada"), []byte("third"), time.Minute); err == nil {
		t.Error("away: kept")
	}
}

package authserver

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// Who has begun with an empty database, by a slip in its name, reads so in the log;
// who comes again does not, and no password is in it.
func TestStartSaysThatItsDatabaseIsNew(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "new.db")
	for _, row := range []struct {
		start string
		new   bool
	}{{"the first", true}, {"the second", false}} {
		log := &logbook{}
		c := baseConfig("https://as.example", &clock{}, log)
		c.Log = slog.New(slog.NewJSONHandler(log, nil))
		s, err := New(t.Context(), c, url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), `"msg":"database.created","at":"`+url+`"`); got != row.new || strings.Contains(log.String(), "database.created") != row.new {
			t.Errorf("%s: %s", row.start, log.String())
		}
	}
}

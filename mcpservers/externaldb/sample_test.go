package externaldb

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestSample(t *testing.T) {
	path := sampleFile(t)
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("there is more than the sample: %v", files)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	d := openDesk(t, within("sqlite:"+path))
	for table, least := range map[string]int{"customers": 15, "products": 15, "orders": 30, "order_items": 50, "order_totals": 30} {
		if n, err := strconv.Atoi(cells(t, d, "SELECT count(*) FROM "+table)[0][0]); err != nil || n < least {
			t.Errorf("%s has %d rows, want %d", table, n, least)
		}
	}
	for _, check := range []struct{ sql, want string }{
		{"SELECT count(*) FROM orders WHERE customer_id NOT IN (SELECT id FROM customers)", "0"},
		{"SELECT count(*) FROM order_items WHERE product_id NOT IN (SELECT id FROM products) OR order_id NOT IN (SELECT id FROM orders)", "0"},
	} {
		if got := cells(t, d, check.sql)[0][0]; got != check.want {
			t.Errorf("%s = %s, want %s", check.sql, got, check.want)
		}
	}
}

func TestSampleKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.db")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Sample(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != "mine" {
		t.Errorf("the file is now %q", content)
	}
}

func TestSampleWithoutAFolder(t *testing.T) {
	if err := Sample(context.Background(), filepath.Join(t.TempDir(), "none", "x.db")); err == nil {
		t.Error("no error")
	}
}

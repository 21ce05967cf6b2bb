package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
)

const peers = "../postern/e2e/peers"

type findings struct {
	Seen  int      `json:"seen"`
	Found []string `json:"found"`
	Error string   `json:"error"`
}

// axe has axe-core look at pages in a real browser.
func axe(t *testing.T, addresses []string, widths []int) findings {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs a browser: install the Debian package chromium")
	}
	nodes, err := filepath.Glob(peers + "/node_modules/node-linux-*/bin/node")
	if err != nil || len(nodes) == 0 {
		t.Fatal("the peers are not installed: run npm ci in cmd/postern/e2e/peers")
	}
	node, err := filepath.Abs(nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{"browser": browser, "addresses": addresses, "widths": widths})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "axe.mjs")
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = peers, bytes.NewReader(input), &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), said.String())
	}
	var got findings
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAxeFindsNothing: every story, light and dark, on a small and on a large screen.
func TestAxeFindsNothing(t *testing.T) {
	all := stories()
	web := httptest.NewServer(newBook(all))
	t.Cleanup(web.Close)
	var addresses []string
	for _, s := range all {
		addresses = append(addresses, web.URL+"/light/"+s.name, web.URL+"/dark/"+s.name)
	}
	got := axe(t, addresses, []int{320, 1280})
	if want := 2 * len(addresses); got.Seen != want {
		t.Errorf("looked at %d pages of %d", got.Seen, want)
	}
	for _, found := range got.Found {
		t.Error(found)
	}
}

// TestAxeFindsSomething: it can.
func TestAxeFindsSomething(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><title>x</title><img src="data:,"><p style="color:#ccc">pale<div style="width:500px">wide</div>`))
	}))
	t.Cleanup(web.Close)
	if got := axe(t, []string{web.URL}, []int{320}); len(got.Found) < 3 {
		t.Errorf("found only %q", got.Found)
	}
}

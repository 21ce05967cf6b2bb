package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// node is the Node the peers' lock file pins; the machine's may be too old.
func node(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("peers/node_modules/node-linux-*/bin/node")
	if err != nil || len(found) == 0 {
		t.Fatal("the peers are not installed: run npm ci in cmd/postern/e2e/peers")
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: install the Debian package chromium")
	}
	return path
}

// ask runs a peer with input on stdin and decodes the findings it reports.
func ask(t *testing.T, script string, input, findings any) {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node(t), script)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = "peers", bytes.NewReader(text), &stdout, &stderr
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s reports:\n%s\n%s", script, stdout.String(), stderr.String())
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	if err := json.Unmarshal(stdout.Bytes(), findings); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// serve runs a peer that announces itself with one line and ends with its stdin.
func serve(t *testing.T, script string, input, announced any) {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node(t), script)
	cmd.Dir = "peers"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said output
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", script, said.String())
		}
	})
	if _, err := fmt.Fprintf(stdin, "%s\n", text); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, announced); err != nil {
		t.Fatalf("%s announces %q: %v\n%s", script, line, err, said.String())
	}
}

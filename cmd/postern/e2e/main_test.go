package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is postern, built once with the race detector.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "postern-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Otherwise every program built with the race detector waits for a second
	// before it ends, and hundreds end here.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=20 "+os.Getenv("GORACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-race", "-o", binary, "github.com/postern-mcp/postern/cmd/postern")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build postern:", err)
		return 1
	}
	status := m.Run()
	browsers.close()
	for _, races := range []string{shared.stop(), front.close()} {
		if races != "" {
			fmt.Fprintln(os.Stderr, "a data race:", races)
			return 1
		}
	}
	return status
}

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is postern, built once with the race detector.
var binary string

// manyWait is how many tests run beside each other that say they can, unless the
// command line says otherwise: most of them wait, for rates, keys and deadlines.
const manyWait = "6"

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
	givenPorts.Store(rand.Uint32N(somePorts)) // another run may be under way
	binary = filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-race", "-o", binary, "github.com/postern-mcp/postern/cmd/postern")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build postern:", err)
		return 1
	}
	flag.Parse()
	if together := flag.Lookup("test.parallel"); together.Value.String() == together.DefValue {
		_ = together.Value.Set(manyWait)
	}
	status := m.Run()
	browsers.close()
	databases.stop()
	for _, races := range []string{shared.stop(), front.close()} {
		if races != "" {
			fmt.Fprintln(os.Stderr, "a data race:", races)
			return 1
		}
	}
	return status
}

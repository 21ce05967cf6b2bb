package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-mcp/postern/proxy/wire"
)

// broken fails to accept, as when files run out.
type broken struct {
	net.Listener
	cause error
}

func (b broken) Accept() (net.Conn, error) { return nil, b.cause }
func (b broken) Addr() net.Addr            { return &net.TCPAddr{Port: 8090} }

func TestFailuresToAcceptAreSaid(t *testing.T) {
	for name, row := range map[string]struct {
		cause error
		lines int
	}{
		"no files":   {syscall.EMFILE, 1},
		"at the end": {net.ErrClosed, 0},
	} {
		var out bytes.Buffer
		ln := &heard{broken{cause: row.cause}, &seldom{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))}}
		for range 100 {
			if _, err := ln.Accept(); err == nil {
				t.Fatal("accepted")
			}
		}
		if n := strings.Count(out.String(), "level=WARN msg=connections.not_accepted"); n != row.lines {
			t.Errorf("%s: %d lines, want %d:\n%s", name, n, row.lines, &out)
		}
	}
}

func TestConnectionsLeaveFilesForTheRest(t *testing.T) {
	for _, row := range []struct {
		most, each int
		files      uint64
		want       [2]int
		said       bool
	}{
		{8192, 4096, 1 << 20, [2]int{8192, 4096}, false},
		{8192, 4096, 16384, [2]int{8192, 4096}, false},
		{8192, 4096, 1500, [2]int{750, 375}, true},
		{8192, 100, 1500, [2]int{750, 100}, true},
		{8192, 4096, 1, [2]int{1, 1}, true},
	} {
		var out bytes.Buffer
		got := bounded(wire.Seats{Most: row.most, Each: row.each}, row.files, slog.New(slog.NewTextHandler(&out, nil)))
		if got.Most != row.want[0] || got.Each != row.want[1] || (out.Len() > 0) != row.said {
			t.Errorf("%d files: %d, %d of one\n%s", row.files, got.Most, got.Each, &out)
		}
	}
}

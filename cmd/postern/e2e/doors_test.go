package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrokenFramingAtEveryDoor: what two parsers could read differently ends
// the connection at every port, not at the proxy's public one alone.
func TestBrokenFramingAtEveryDoor(t *testing.T) {
	d := front.get(t)
	p, _, _ := limited(t, echo, "", "")
	doors := map[string]string{
		"issuer": strings.TrimPrefix(d.issuer, "http://"), "admin": strings.TrimPrefix(p.admin, "http://"), "bundled server": bundledServer(t),
	}
	for name, address := range doors {
		head := "POST /token HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + doorCredential + "\r\n"
		for _, row := range []struct {
			name, request string
			answers       int
		}{
			{"good", head + "Content-Length: 3\r\n\r\nabc", 2},
			{"good chunks", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 2},
			{"two lengths", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
			{"a folded line", head + "X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", 1},
			{"a chunk extension", head + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n", 1},
			{"trailers", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n", 1},
		} {
			got := conversation(t, address, row.request+"GET / HTTP/1.1\r\nHost: "+address+"\r\nConnection: close\r\n\r\n")
			if n := strings.Count(got, "HTTP/1.1 "); n != row.answers {
				t.Errorf("%s, %s: %d answers, want %d:\n%s", name, row.name, n, row.answers, got)
			}
		}
	}
}

// conversation is all that is answered until the connection ends.
func conversation(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%v after %q", err, got)
	}
	return string(got)
}

var doorCredential = strings.Repeat("c", 40)

// bundledServer is the address of one that listens.
func bundledServer(t *testing.T) string {
	t.Helper()
	address := loopback(freePort(t))
	credential := write(t, filepath.Join(t.TempDir(), "credential"), doorCredential)
	start(t, binary, "mcp", "calculator", "--listen", address, "--credential-file", credential)
	eventually(t, func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return address
}

// TestOneAddressTakesNotAllConnections: at the proxy and at the issuer, where
// it is said as well.
func TestOneAddressTakesNotAllConnections(t *testing.T) {
	const bounds = "connections: 40, connections_per_address: 3"
	p, _, _ := limited(t, echo, bounds, "")
	d := openDeskWith(t, "  limits: {"+bounds+"}\n")
	for name, address := range map[string]string{"proxy": p.address, "issuer": strings.TrimPrefix(d.issuer, "http://")} {
		for range 3 {
			defer dialFrom(t, "127.0.0.9", address).Close()
		}
		eventually(t, func() error { // the three may be waiting to be accepted
			conn := dialFrom(t, "127.0.0.9", address)
			defer conn.Close()
			return closedAtOnce(conn)
		})
		other := dialFrom(t, "127.0.0.10", address)
		defer other.Close()
		fmt.Fprint(other, "GET /nowhere HTTP/1.1\r\nHost: "+address+"\r\n\r\n")
		line := make([]byte, 12)
		if _, err := io.ReadFull(other, line); err != nil || string(line) != "HTTP/1.1 404" {
			t.Errorf("%s: another address: %q, %v", name, line, err)
		}
	}
	eventually(t, func() error {
		if out := d.server.out.String(); !strings.Contains(out, "connection.refused") || !strings.Contains(out, "127.0.0.9") {
			return fmt.Errorf("not said:\n%s", out)
		}
		return nil
	})
}

func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func closedAtOnce(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return errors.New("it stays open")
	}
	return nil
}

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Two processes on one database are one authorization server.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	for name, shared := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			address := ""
			if shared {
				address = databases.empty(t)
			}
			d := deskOnDatabase(t, address)
			raceProcesses(t, d)
			if told := strings.Contains(d.server.out.String(), "several instances need state.redis"); told != shared {
				t.Errorf("warned of proofs that are not shared: %v", told)
			}
		})
	}
}

// twin is a second process with the same configuration but for its address.
func (d *desk) twin(t *testing.T) (address string) {
	t.Helper()
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	address = loopback(freePort(t))
	own := "\n  listen: " + d.host(d.issuer) + "\n"
	if strings.Count(string(text), own) != 1 {
		t.Fatalf("no%sin\n%s", own, text)
	}
	config := write(t, filepath.Join(d.dir, "twin.yaml"), strings.Replace(string(text), own, fmt.Sprintf("\n  listen: %s\n  hosts: ['%[1]s']\n", address), 1))
	start(t, binary, "authserver", "-c", config)
	eventually(t, func() error { return healthy("http://" + address + "/.well-known/oauth-authorization-server") })
	return "http://" + address
}

func raceProcesses(t *testing.T, d *desk) {
	t.Helper()
	both := []string{d.issuer, d.twin(t)}
	browser := newWindow(t)
	for range 3 {
		code := d.authorize(t, browser, d.asking(d.public)).Get("code")
		if good := successes(t, both, redeeming(d.public, code)); len(good) != 1 {
			t.Fatalf("a code was good %d times", len(good))
		}
	}
	token := d.granted(t).Refresh
	for range 4 {
		good := successes(t, both, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {d.public}})
		if len(good) != rivals {
			t.Fatalf("%d of %d refreshes", len(good), rivals)
		}
		for _, a := range good {
			if a.Refresh != good[0].Refresh {
				t.Fatal("one refresh token has two successors")
			}
		}
		token = good[0].Refresh
	}
	access := d.granted(t).Access
	d.revoke(t, access)
	if !d.listed(t, access) {
		t.Error("the revocation is not listed")
	}
}

const rivals = 8

// successes posts one form to all servers at once, and gives the answers that are a yes.
func successes(t *testing.T, servers []string, form url.Values) (good []told) {
	t.Helper()
	type answer struct {
		status int
		said   told
		err    error
	}
	answers := make([]answer, rivals)
	var all sync.WaitGroup
	for i := range answers {
		w := &witness{d: &desk{stage: &stage{issuer: servers[i%len(servers)]}}}
		all.Go(func() { answers[i].status, answers[i].said, answers[i].err = w.once("/token", form) })
	}
	all.Wait()
	for _, a := range answers {
		switch {
		case a.err != nil:
			t.Fatal(a.err)
		case a.status == http.StatusOK:
			good = append(good, a.said)
		case a.status != http.StatusBadRequest || a.said.Error != "invalid_grant":
			t.Errorf("got %d %s", a.status, a.said.Error)
		}
	}
	return good
}

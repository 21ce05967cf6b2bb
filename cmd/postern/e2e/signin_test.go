package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	safari  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"
)

// arriving signs somebody in from a network, in a window of its own.
func (d *desk) arriving(t *testing.T, address, agent, password string) reply {
	t.Helper()
	w := newWindow(t)
	page := w.get(t, d.issuer+"/authorize?"+d.asking(d.public).Encode())
	form := url.Values{"request": {page.sealed(t)}, "username": {d.user.Username}, "password": {password}}
	return w.submit(t, d.issuer+"/login", form, "X-Forwarded-For", address, "User-Agent", agent)
}

// TestSignInsAreJudged: what `postern admin risk explain` says of a sign-in is
// what it gets, at the server that runs.
func TestSignInsAreJudged(t *testing.T) {
	d := openDeskWith(t, "  trusted_proxies: [127.0.0.0/8]\n  sign_in: {deny_networks: [10.66.0.0/16], without_factor: refuse, network_bits: {ipv4: 16}}\n")
	d.public = d.register(t, deskCallback)
	for _, row := range []struct {
		name, address, agent string
		status               int
		outcome, says        string
	}{
		{"the first time", "203.0.113.7", firefox, http.StatusSeeOther, "allow", ""},
		{"a neighbour in the configured network", "203.0.200.1", strings.ReplaceAll(firefox, "128", "131"), http.StatusSeeOther, "allow", ""},
		{"another network", "198.51.100.1", firefox, http.StatusForbidden, "refuse", "The name or the password is wrong, or"},
		{"another browser", "203.0.113.7", safari, http.StatusForbidden, "refuse", "The name or the password is wrong, or"},
		{"a denied network", "10.66.1.1", firefox, http.StatusForbidden, "refuse", "Nobody may sign in from the network you are on"},
	} {
		t.Run(row.name, func(t *testing.T) {
			said := d.administer(t, "", "risk", "explain", "--user", d.user.Username, "--address", row.address, "--agent", row.agent)
			if !strings.HasPrefix(strings.TrimSpace(said["Outcome"]), row.outcome+" ") {
				t.Errorf("explained as %q, want %s", said["Outcome"], row.outcome)
			}
			right := d.arriving(t, row.address, row.agent, d.user.Password)
			if right.status != row.status || !strings.Contains(right.body, row.says) {
				t.Errorf("status %d: %s", right.status, right.body)
			}
			if row.status == http.StatusSeeOther {
				return
			}
			if wrong := d.arriving(t, row.address, row.agent, "wrong"); wrong.status != right.status || withoutSeals(wrong) != withoutSeals(right) {
				t.Errorf("a wrong password gets another answer:\n%s\nthan the right one:\n%s", wrong.body, right.body)
			}
		})
	}
}

func withoutSeals(r reply) string { return sealedRequest.ReplaceAllString(r.body, "") }

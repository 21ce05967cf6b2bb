package authserver

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// many does something at once and says how many times it was a sign-in.
func many(do func(i int) answerOf) (signedIn int32) {
	var all sync.WaitGroup
	var n atomic.Int32
	for i := range rivals {
		all.Go(func() {
			if in(do(i)) {
				n.Add(1)
			}
		})
	}
	all.Wait()
	return n.Load()
}

// dex, RFC 6238 §5.2: the same code at two instances at the same time signs in once.
func oneTimeCodeRaced(t *testing.T, g *rig) {
	made := g.setUpCodes(newBrowser(t))
	browsers, entries := make([]*http.Client, rivals), make([]string, rivals)
	query := with(authorization(g.publicClient()), "acr_values", "mfa")
	for i := range browsers {
		browsers[i] = newBrowser(t)
		entries[i] = g.halfway(browsers[i], query)
	}
	code := made.Code(g.clock.Now())
	if n := many(func(i int) answerOf { return g.second(browsers[i], entries[i], "code", code) }); n != 1 {
		t.Errorf("one code signed in %d times", n)
	}
}

func invitationRaced(t *testing.T, g *rig) {
	path := g.invite(Invitation{})
	b := newBrowser(t)
	form := g.newcomer(b, path)
	n := many(func(i int) answerOf {
		return g.submit(newBrowser(t), "/sign-up", with(form, "username", "rival"+strconv.Itoa(i)))
	})
	people, err := g.s.Users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n != 1 || len(people) != 2 {
		t.Errorf("one invitation made %d sessions, and there are %d people", n, len(people))
	}
}

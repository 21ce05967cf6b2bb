package authserver

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
)

const (
	streamLife   = 25 * time.Second // then the browser asks again; a request is given no more than patience
	streamEvery  = 2 * time.Second
	mostStreams  = 256 // of everybody
	streamsOfOne = 3   // of one person, whatever the number of their sessions
)

// streams counts those that are open.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[string]int // by user id
}

// open takes a place, or says that there is none.
func (n *streams) open(of string) (leave func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all >= mostStreams || n.each[of] >= streamsOfOne {
		return nil, false
	}
	if n.each == nil {
		n.each = map[string]int{}
	}
	n.all++
	n.each[of]++
	return func() { n.close(of) }, true
}

func (n *streams) close(of string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all--
	if n.each[of]--; n.each[of] == 0 {
		delete(n.each, of)
	}
}

// streamTokens sends the list of live tokens whenever it becomes another, for as
// long as the session is good.
func (s *Server) streamTokens(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	if !ok {
		return refuse(NoSession)
	}
	if err := s.admitNetwork(r); err != nil {
		return err
	}
	leave, ok := s.streams.open(v.UserID)
	if !ok {
		return refuse(TooMany)
	}
	defer leave()
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	s.sendTokens(ctx, w, r, f)
	return nil
}

// sendTokens ends with the reader, the session, or what cannot be read: the
// browser asks again, and hears then what is wrong.
func (s *Server) sendTokens(ctx context.Context, w http.ResponseWriter, r *http.Request, f pages.Frame) {
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	sent := ""
	for {
		now, err := s.tokensNow(r.WithContext(ctx), f)
		if err != nil {
			return
		}
		if now != sent {
			if err := sendEvent(w, now); err != nil {
				return
			}
			sent = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tokensNow is the list as the page has it, for a session that is still good.
func (s *Server) tokensNow(r *http.Request, f pages.Frame) (string, error) {
	v, ok, err := s.session(r)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", refuse(NoSession)
	}
	let, err := s.letInBy(r.Context(), v.UserID)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = f.ApplicationsNow(&b, pages.Applications{Now: s.config.Now(), All: let.applications, Tokens: s.shownTokens(let, "")})
	return b.String(), err
}

// sendEvent writes a message of a stream (HTML §9.2.6): each line of it after "data:".
func sendEvent(w http.ResponseWriter, text string) error {
	message := "retry: 2000\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n"
	if _, err := w.Write([]byte(message)); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

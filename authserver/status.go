package authserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
)

const (
	pageSize  = 1 << 16          // places of a status list
	listFresh = time.Second      // a list is made at most this often
	listTTL   = 2 * time.Second  // when resource servers should ask again
	listLife  = 60 * time.Second // when they must have
)

// statusOf is the status claim of the access token at a place.
func (s *Server) statusOf(place uint64) token.Status {
	return token.Status{URI: s.pageURL(place / pageSize), Index: place % pageSize}
}

func (s *Server) pageURL(page uint64) string {
	return s.site.url(statusPrefix + strconv.FormatUint(page, 10))
}

// statusLists are the lists of this second: each is made once, however many ask.
type statusLists struct {
	mu          sync.Mutex
	read        time.Time
	first, last uint64            // pages that live tokens are on
	signed      map[uint64]string // by page, made when somebody asks
}

// pages reads which pages have tokens, when what is known is of an older second.
func (l *statusLists) pages(ctx context.Context, db statusStore, now time.Time) error {
	if age := now.Sub(l.read); l.signed != nil && age >= 0 && age < listFresh {
		return nil
	}
	first, last, err := db.Places(ctx)
	if err != nil {
		return err
	}
	l.first, l.last = first/pageSize, last/pageSize
	l.read, l.signed = now, map[uint64]string{}
	return nil
}

// statusList: draft-ietf-oauth-status-list §8.1, §8.2.
func (s *Server) statusList(w http.ResponseWriter, r *http.Request) error {
	page, ok := pageOf(strings.TrimPrefix(r.URL.Path, s.site.local(statusPrefix)))
	if !ok {
		return refuse(UnknownPath)
	}
	// §8.4: the list of another time
	if r.URL.Query().Has("time") {
		return refuse(NoHistory)
	}
	list, err := s.signedList(r.Context(), page)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/"+status.Type)
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(listTTL/time.Second)))
	_, _ = w.Write([]byte(list)) // the caller is gone: nobody to tell
	return nil
}

// pageOf takes a number as this server writes it.
func pageOf(digits string) (uint64, bool) {
	page, err := strconv.ParseUint(digits, 10, 64)
	return page, err == nil && strconv.FormatUint(page, 10) == digits
}

func (s *Server) signedList(ctx context.Context, page uint64) (string, error) {
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	now := s.config.Now()
	if err := s.lists.pages(ctx, s.store, now); err != nil {
		return "", err
	}
	// A token of this second may be the first of the next page.
	if page < s.lists.first || page > s.lists.last+1 {
		return "", refuse(UnknownPath)
	}
	if list, ok := s.lists.signed[page]; ok {
		return list, nil
	}
	list, err := s.makeList(ctx, page, now)
	if err != nil {
		return "", err
	}
	s.lists.signed[page] = list
	return list, nil
}

func (s *Server) makeList(ctx context.Context, page uint64, now time.Time) (string, error) {
	from := page * pageSize
	revoked, err := s.store.RevokedPlaces(ctx, from, from+pageSize)
	if err != nil {
		return "", err
	}
	list, err := status.NewList(pageSize)
	if err != nil {
		return "", err
	}
	for _, place := range revoked {
		if err := list.Set(place - from); err != nil {
			return "", err
		}
	}
	return status.Sign(s.keys.Signer(), list, s.pageURL(page), now, listTTL, listLife)
}

// statusPages is draft-ietf-oauth-status-list §9.3.
type statusPages struct {
	Lists []string `json:"status_lists"`
}

// statusIndex names every list that a live token refers to.
func (s *Server) statusIndex(w http.ResponseWriter, r *http.Request) error {
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if err := s.lists.pages(r.Context(), s.store, s.config.Now()); err != nil {
		return err
	}
	all := statusPages{Lists: []string{}}
	for page := s.lists.first; page <= s.lists.last; page++ {
		all.Lists = append(all.Lists, s.pageURL(page))
	}
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(listTTL/time.Second)))
	return writeJSON(w, http.StatusOK, all)
}

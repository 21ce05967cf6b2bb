package proxy

import (
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
)

// BenchmarkStatusLookup is what every call with a status claim pays.
func BenchmarkStatusLookup(b *testing.B) {
	list, err := status.NewList(1 << 16)
	if err != nil {
		b.Fatal(err)
	}
	lists, err := newStatusLists(&issuer{conf: Issuer{URL: "https://auth.example"}}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	c := token.Claims{Status: token.Status{URI: "https://auth.example/status/0", Index: 12345}}
	page, err := lists.page(c.Status.URI)
	if err != nil {
		b.Fatal(err)
	}
	page.state.Store(awake)
	page.known.Store(&status.Published{List: list, Expiry: time.Now().Add(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		if err := lists.check(b.Context(), time.Now(), c); err != nil {
			b.Fatal(err)
		}
	}
}

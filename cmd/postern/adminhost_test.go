package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAdminHosts(t *testing.T) {
	h := adminHosts([]string{"metrics"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1:9464": 200, "10.1.2.3:9464": 200, "[::1]:9464": 200, "[fd00::1]": 200, "localhost:9464": 200,
		"LOCALHOST": 200, "metrics": 200, "metrics:80": 200,
		"": 403, "evil.example:9464": 403, "metrics.evil.example": 403, "127.0.0.1.evil.example": 403,
		"localhost.evil.example:9464": 403, "localhost:9464:x": 403, "::1": 200, "0x7f.1": 403, "metrics.": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

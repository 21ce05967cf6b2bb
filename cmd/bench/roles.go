package main

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
)

const reply = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"5"}],"isError":false}}`

// serveUpstream is the MCP server behind: it reads the call and answers at once.
func serveUpstream(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
	}))
}

// serveBare is the floor: the standard library's reverse proxy and nothing else.
func serveBare(address, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
	}
	return http.ListenAndServe(address, proxy)
}

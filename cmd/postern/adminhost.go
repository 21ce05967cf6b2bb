package main

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// adminHosts lets through who calls the port by an address, as localhost, or by
// one of these names. A page in a browser that was made to take a foreign name
// for this machine (DNS rebinding) calls it by that name.
func adminHosts(names []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostname(r.Host)
		if name != "localhost" && net.ParseIP(name) == nil && !slices.Contains(names, name) {
			http.Error(w, "This Host is not served here: name it in admin.hosts.", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// hostname is a Host without its port and brackets, in lower case.
func hostname(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return strings.ToLower(name)
}

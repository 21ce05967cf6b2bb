package mcpservers

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strings"
)

// guard lets a request through that carries the credential. Digests of equal
// length are compared, so that not even the credential's length can be timed.
func guard(credential string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(credential))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(bearer(r.Header.Values("Authorization"))))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Connection", "close") // a body that is promised is not waited for
			http.Error(w, "only the proxy in front of this server may call it", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearer returns the credential of the only Authorization field, or "".
func bearer(fields []string) string {
	if len(fields) != 1 {
		return ""
	}
	// RFC 9110 §11.1: the scheme's case does not matter.
	scheme, credential, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return credential
}

// strictly hands next a body that has one meaning.
func strictly(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "the message is larger than 4 MiB", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "the body ended early", http.StatusBadRequest)
			return
		}
		message, err := readable(body)
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(parseError)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(message))
		r.ContentLength = int64(len(message))
		next.ServeHTTP(w, r)
	}
}

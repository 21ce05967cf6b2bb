package credential

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever an issuer answers, there is an error or a token that is safe in a
// header, of a type that was asked for, with a life in bounds.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":60}`,
		`{"access_token":"a.b_c-~+/==","token_type":"DPoP","issued_token_type":"urn:ietf:params:oauth:token-type:jwt"}`,
		`{"access_token":"a\r\nX: y","token_type":"bearer"}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":9223372036854775807}`,
	} {
		f.Add([]byte(body), true, "a")
		f.Add([]byte(body), false, "")
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte, proved bool, subject string) {
		got, err := parseAnswer(body, now, proved, subject)
		if err != nil {
			if got != nil {
				t.Fatal("a token beside an error")
			}
			return
		}
		if life := got.expiry.Sub(now); life <= 0 || life > 24*time.Hour {
			t.Fatalf("a life of %v", life)
		}
		if got.bound && !proved || got.token == subject {
			t.Fatalf("%+v was not asked for", got)
		}
		r := &http.Request{Method: "GET", Header: http.Header{"Authorization": {"Bearer " + got.token}}}
		var text strings.Builder
		if err := r.Header.Write(&text); err != nil || text.String() != "Authorization: Bearer "+got.token+"\r\n" {
			t.Fatalf("%q %v", text.String(), err)
		}
	})
}

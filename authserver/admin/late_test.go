package admin

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// closing is a gate that is closed once a body has been read to its end.
type closing struct {
	broken
	body *strings.Reader
}

func (c closing) Admit(http.ResponseWriter, *http.Request, string) (Actor, error) {
	if c.body.Len() == 0 {
		return Actor{}, &Error{Reason: DeadToken}
	}
	return Operator(), nil
}

// A caller who loses what they may while their body is on its way is refused:
// the gate is asked when there is nothing left to wait for.
func TestTheGateIsAskedAfterTheBody(t *testing.T) {
	body := strings.NewReader(`{"name":"eve"}`)
	gate := closing{body: body}
	api, err := New("https://as.example", gate, gate, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "https://as.example"+Prefix+"/users", io.NopCloser(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "dead_token") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Who is not let in learns nothing of what was wrong with their body.
func TestTheGateComesBeforeFaultsOfTheBody(t *testing.T) {
	for name, body := range map[string]string{"too large": strings.Repeat("x", maxBody+1), "no JSON": "x"} {
		gate := closing{body: strings.NewReader("")}
		api, err := New("https://as.example", gate, gate, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://as.example"+Prefix+"/users", strings.NewReader(body)))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

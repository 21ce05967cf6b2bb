package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// TestHiddenThingsAnswerLikeNothing: on every way to name a thing, what policy
// hides is answered like what never existed, and the upstream hears of neither.
func TestHiddenThingsAnswerLikeNothing(t *testing.T) {
	p, issuer, up := gate(t, echo)
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use more", nil)}
	for name, params := range map[string]string{
		"tools/call":                        `{"name":%q,"arguments":{}}`,
		"prompts/get":                       `{"name":%q}`,
		"resources/read":                    `{"uri":%q}`,
		"resources/subscribe":               `{"uri":%q}`,
		"resources/unsubscribe":             `{"uri":%q}`,
		"subscriptions/listen":              `{"notifications":{"resourceSubscriptions":[%q]}}`,
		"completion/complete of a prompt":   `{"ref":{"type":"ref/prompt","name":%q},"argument":{"name":"a","value":""}}`,
		"completion/complete of a resource": `{"ref":{"type":"ref/resource","uri":%q},"argument":{"name":"a","value":""}}`,
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(name, " ")
			ask := func(thing string) string {
				got := c.send(t, legacyPost(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, fmt.Sprintf(params, thing)))).expect(t, http.StatusOK)
				if !strings.Contains(got.body, `"code":-32602`) || len(challenges(t, got.header)) != 0 {
					t.Errorf("%s: %v\n%s", thing, got.header, got.body)
				}
				return strings.NewReplacer(thing, "THING", got.header.Get("X-Request-Id"), "ID").Replace(got.body)
			}
			if hidden, never := ask("hidden://x"), ask("nevermore"); hidden != never {
				t.Errorf("what is hidden: %s\nwhat never was: %s", hidden, never)
			}
		})
	}
	for _, method := range []string{"Tools/Call", "TOOLS/LIST", "Resources/Templates/List", "tools/call ", "tools/list\t"} {
		t.Run("the method "+method, func(t *testing.T) {
			c.send(t, legacyPost(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{"name":"hidden"}}`, method))).expect(t, http.StatusBadRequest)
		})
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
}

// TestCallersDoNotGetEachOthersAnswers: the same message with the same id from
// many callers at once, over connections that are shared upstream.
func TestCallersDoNotGetEachOthersAnswers(t *testing.T) {
	p, issuer, _ := gate(t, func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Params struct {
				Arguments struct {
					Secret string `json:"secret"`
				} `json:"arguments"`
			} `json:"params"`
		}
		if err := json.UnmarshalRead(r.Body, &asked); err != nil {
			t.Error(err)
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		answer(w, http.StatusOK, fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":%q}]}}`, asked.Params.Arguments.Secret))
	})
	var callers sync.WaitGroup
	for i := range 8 {
		secret := fmt.Sprintf("secret-of-%d", i)
		c := caller{url: p.resource, token: issuer.token("subject-"+secret, p.resource, "use", nil)}
		callers.Go(func() {
			for range 20 {
				resp, err := c.attempt(modernCall("echo", fmt.Sprintf(`{"secret":%q}`, secret)), "")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !strings.Contains(string(body), `"`+secret+`"`) || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s got %s, %v, cacheable: %q", secret, body, err, resp.Header.Get("Cache-Control"))
				}
			}
		})
	}
	callers.Wait()
}

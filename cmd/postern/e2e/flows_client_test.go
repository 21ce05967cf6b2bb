package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	goodbye = "http://127.0.0.1:7777/bye"
	oneFile = `[{"type":"file","identifier":"a.txt"}]`
)

// flows is what flows-client.mjs takes: without Back it begins, with it it ends.
type flows struct {
	Issuer   string         `json:"issuer"`
	Method   string         `json:"method"`
	Bound    bool           `json:"bound"`
	Redirect string         `json:"redirect"`
	Goodbye  string         `json:"goodbye"`
	Resource string         `json:"resource"`
	Scope    string         `json:"scope"`
	Details  string         `json:"details"`
	Client   jsontext.Value `json:"client,omitzero"`
	Verifier string         `json:"verifier,omitzero"`
	Nonce    string         `json:"nonce,omitzero"`
	Device   jsontext.Value `json:"device,omitzero"`
	Back     string         `json:"back,omitzero"`
}

// flowsBegun is what the first step finds.
type flowsBegun struct {
	Client   jsontext.Value `json:"client"`
	Verifier string         `json:"verifier"`
	Nonce    string         `json:"nonce"`
	URL      string         `json:"url"`
	Device   jsontext.Value `json:"device"`
}

// who is what openid-client learned of the person, each time in full agreement.
type who struct {
	Type string `json:"type"`
	Sub  string `json:"sub"`
	ACR  string `json:"acr"`
	Hash bool   `json:"hash"`
	Name string `json:"name"`
}

// flowsEnded is what the second finds.
type flowsEnded struct {
	Code      who            `json:"code"`
	Details   jsontext.Value `json:"details"`
	Refreshed struct {
		Type  string `json:"type"`
		Scope string `json:"scope"`
	} `json:"refreshed"`
	Revoked int    `json:"revoked"` // status of userinfo afterwards
	Device  who    `json:"device"`
	Logout  string `json:"logout"`
}

// TestOpenIDClientWithPeople: openid-client through every flow with a person in
// it, with and without secrets, proofs, and nonces in them.
func TestOpenIDClientWithPeople(t *testing.T) {
	for nonces, rows := range map[string][]flows{
		"required": {{Method: "none", Bound: true}, {Method: "client_secret_post"}},
		"optional": {{Method: "none"}, {Method: "client_secret_basic", Bound: true}},
	} {
		d := openDeskWith(t, "  dpop_nonce: "+nonces+"\n  authorization_details: [{type: file, description: Work with one file, fields: [identifier]}]\n")
		for _, row := range rows {
			t.Run("nonces "+nonces+" "+row.Method, func(t *testing.T) { d.peopleFlows(t, row) })
		}
	}
}

func (d *desk) peopleFlows(t *testing.T, f flows) {
	f.Issuer, f.Redirect, f.Goodbye, f.Resource = d.issuer, deskCallback, goodbye, d.target
	f.Scope, f.Details = "openid profile everything", oneFile
	var begun flowsBegun
	ask(t, "flows-client.mjs", f, &begun)
	f.Client, f.Verifier, f.Nonce, f.Device = begun.Client, begun.Verifier, begun.Nonce, begun.Device

	asked, err := url.Parse(begun.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWindow(t)
	if page := d.consent(t, w, asked.Query()); !strings.Contains(page.body, "Work with one file") || !strings.Contains(page.body, "See your user name") {
		t.Errorf("the page says %s", page.body)
	}
	f.Back = deskCallback + "?" + d.authorize(t, w, asked.Query()).Encode()
	var shown waiting
	reply{body: string(begun.Device)}.decode(t, &shown)
	d.answersDevice(t, shown.User, "allow")

	var got flowsEnded
	ask(t, "flows-client.mjs", f, &got)
	want := who{Type: map[bool]string{true: "dpop", false: "bearer"}[f.Bound], Sub: got.Code.Sub, ACR: "pwd", Hash: true, Name: d.user.Username}
	if got.Code != want || got.Device != want || !strings.HasPrefix(want.Sub, "user_") {
		t.Errorf("by code %+v, by device %+v, want %+v", got.Code, got.Device, want)
	}
	if got.Refreshed.Type != want.Type || got.Refreshed.Scope != f.Scope || got.Revoked != http.StatusUnauthorized {
		t.Errorf("refreshed %+v, revoked %d", got.Refreshed, got.Revoked)
	}
	if strings.ReplaceAll(string(got.Details), " ", "") != `[{"identifier":"a.txt","type":"file"}]` {
		t.Errorf("details %s", got.Details)
	}
	d.signsOut(t, w, got.Logout)
}

// signsOut follows a client's link out of the session, and back to the client.
func (d *desk) signsOut(t *testing.T, w *window, link string) {
	t.Helper()
	at := w.get(t, link).expect(t, http.StatusSeeOther).header.Get("Location")
	if at != goodbye+"?state=st%26te%3D+%25" {
		t.Errorf("led to %q", at)
	}
	if page := w.get(t, d.issuer+"/authorize?"+d.asking(d.register(t, deskCallback)).Encode()); !strings.Contains(page.body, `name="password"`) {
		t.Errorf("still signed in: %d %s", page.status, page.body)
	}
}

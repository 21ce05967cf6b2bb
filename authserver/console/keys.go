package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const keysPath = Path + "/keys"

func (c *Console) keys(w http.ResponseWriter, r *http.Request, a Administrator) error {
	found, err := c.desk.Keys(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	p := pages.Keys{Now: c.of.Now(), Change: a.has(admin.ScopeKeys), Notices: done(r)}
	for _, k := range found.Items {
		p.All = append(p.All, pages.Key{ID: k.ID, Algorithm: k.Algorithm, State: k.State, Signs: k.SignsFrom, Until: k.Until})
	}
	return a.Frame.Keys(w, http.StatusOK, p)
}

func (c *Console) askRotateKey(w http.ResponseWriter, r *http.Request, a Administrator) error {
	found, err := c.desk.Keys(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	return a.Frame.Confirm(w, http.StatusOK, pages.Confirm{
		At: keysPath, Title: "Rotate the signing key?", Button: "Rotate the key", Path: keysPath + "/rotate", Back: pages.Link{Text: "Keys", Path: keysPath},
		Effects: []string{
			"Tokens that are out stay good until they expire: nobody signs in again, and no client has to do anything.",
			"Proxies and other servers that check tokens notice nothing: they fetch the published keys by themselves.",
			c.nextSigns(found.Items),
			"The key that signs now stays published " + c.stays() + " after that, until its last token has expired, and then goes by itself.",
		},
	})
}

// nextSigns says when the next key signs, which may be published already.
func (c *Console) nextSigns(all []admin.Key) string {
	ahead := pages.Span(c.of.KeyAhead)
	if slices.ContainsFunc(all, func(k admin.Key) bool { return k.State == "next" }) {
		return "The next key is published already: it signs as soon as it has been published for " + ahead + ", which may be now."
	}
	return "The next key is published now, and signs in " + ahead + ". Until then the one of now signs on."
}

// stays is for how long a key is published that signs no more, in whole minutes.
func (c *Console) stays() string { return pages.Span(c.of.KeyKept.Round(time.Minute)) }

func (c *Console) rotateKey(w http.ResponseWriter, r *http.Request, a Administrator, _ form) error {
	if _, err := c.desk.RotateKey(r.Context(), a.Actor, admin.KeyRotation{}); err != nil {
		return err
	}
	return a.onward(w, keysPath, "rotated")
}

func (c *Console) askRevokeKey(w http.ResponseWriter, r *http.Request, a Administrator) error {
	kid := r.URL.Query().Get("kid")
	if kid == "" {
		return notThere()
	}
	return a.Frame.Confirm(w, http.StatusOK, pages.Confirm{
		At: keysPath, Title: "Revoke this key?", About: []pages.Fact{{Name: "Key (kid)", Cell: pages.Cell{Text: kid, Code: true}}}, Button: "Revoke the key", Path: keysPath + "/revoke", Hidden: []pages.Hidden{{Name: "kid", Value: kid}},
		Back: pages.Link{Text: "Keys", Path: keysPath},
		Effects: []string{"Only for a key that was stolen. If it is merely old, rotate instead.", "Every token it signed is dead at once: clients have to get new ones, and people do not notice.",
			"A key that nobody knows yet signs instead: some servers refuse its first tokens for a few seconds, those that are slow to look for new keys for longer.", "The key that signs now signs no more, even if you revoke another.", "This cannot be undone."},
	})
}

func (c *Console) revokeKey(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, err := c.desk.RevokeKey(r.Context(), a.Actor, admin.KeyRef{ID: f["kid"]}); err != nil {
		return err
	}
	return a.onward(w, keysPath, "revoked")
}

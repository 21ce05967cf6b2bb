package pages

import "net/http"

// Away is between this server and a provider.
type Away struct {
	Label string // the provider's
	To    string // its URL for this sign-in
}

// Away writes it, with a link for browsers that do not go on by themselves.
func (f Frame) Away(w http.ResponseWriter, status int, p Away) error {
	return f.write(w, status, "away.html", view{Frame: f, Title: "Sign in with " + p.Label, Page: p})
}

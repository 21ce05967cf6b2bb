package clientdoc

import (
	"errors"
	"strings"
	"testing"
)

// Where people are sent after sign-out keeps to the client's type, also to one
// that only its redirect URIs tell.
func TestLogoutRedirectsKeepToTheType(t *testing.T) {
	const device = `"grant_types":["` + deviceGrant + `"]`
	for _, row := range []struct{ name, members, after, wrong string }{
		{"implied web, https", `"redirect_uris":["https://app.example/cb"]`, "https://app.example/bye", ""},
		{"implied web, loopback", `"redirect_uris":["https://app.example/cb"]`, "http://127.0.0.1/bye", "post_logout_redirect_uris[0]: web clients must use https"},
		{"implied web, loopback over https", `"redirect_uris":["https://app.example/cb"]`, "https://localhost/bye", "web clients must not redirect to a loopback host"},
		{"implied web, a private scheme", `"redirect_uris":["https://app.example/cb"]`, "com.example.app:/bye", "web clients must use https"},
		{"said to be web", `"application_type":"web","redirect_uris":["https://app.example/cb"]`, "http://127.0.0.1/bye", "web clients must use https"},
		{"said to be native", `"application_type":"native","redirect_uris":["https://app.example/cb"]`, "http://127.0.0.1/bye", ""},
		{"implied native", `"redirect_uris":["http://127.0.0.1/cb"]`, "http://127.0.0.1/bye", ""},
		{"a device", device, "http://127.0.0.1/bye", ""},
		{"a device said to be web", `"application_type":"web",` + device, "http://127.0.0.1/bye", "web clients must use https"},
		{"a device of no type there is", `"application_type":"toaster",` + device, "https://app.example/bye", "application_type must be native or web"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse([]byte(`{`+row.members+`,"post_logout_redirect_uris":["`+row.after+`"]}`), Rules{Methods: []string{None}})
			if row.wrong == "" && err != nil {
				t.Fatal(err)
			}
			if row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong) || !errors.Is(err, ErrRedirect) && !errors.Is(err, ErrMetadata)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

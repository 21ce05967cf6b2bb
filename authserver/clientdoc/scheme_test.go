package clientdoc

import (
	"errors"
	"strings"
	"testing"
)

func TestSchemesAnOperatorMayAllow(t *testing.T) {
	for _, s := range []string{"cursor", "vscode", "vscode-insiders", "windsurf", "my-app2"} {
		if err := CheckScheme(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{
		"http", "https", "javascript", "data", "file", "vbscript", "blob", "about", "ws", "wss", "ftp", "mailto", "tel", "sms",
		"view-source", "filesystem", "chrome", "chrome-extension", "moz-extension", "intent", "android-app", "web+x", "ext+x",
		"ms-msdt", "ms-officecmd", "search-ms", "itms-apps", "facetime-audio", "urn", "ldap", "smb",
		"", "x", "Cursor", "cursor:", "cursor://", "com.example.app", "1app", "-app", "a b", "a;b", "a\n", "caf\u00e9", strings.Repeat("a", 41),
	} {
		if err := CheckScheme(s); !errors.Is(err, ErrScheme) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := CheckSchemes([]string{"cursor", "data"}); !errors.Is(err, ErrScheme) {
		t.Error(err)
	}
	if err := CheckSchemes([]string{"cursor", "vscode"}); err != nil {
		t.Error(err)
	}
}

func TestRedirectsWithPrivateSchemes(t *testing.T) {
	for redirect, want := range map[string]bool{
		"cursor://anysphere.cursor-mcp/oauth/callback": true, "cursor:/cb": true, "CURSOR://x/cb": true, "com.example.app:/cb": true,
		"vscode://x/cb": false, "cursors://x/cb": false, "cursor://user@x/cb": false, "cursor://x/cb#f": false,
		"javascript:cursor://x": false, "data:cursor://x": false, "cursor": false, "://x": false,
	} {
		_, err := Parse([]byte(`{"redirect_uris":["`+redirect+`"]}`), Rules{Schemes: []string{"cursor"}, Methods: documentMethods})
		if (err == nil) != want {
			t.Errorf("%s: %v", redirect, err)
		}
		if _, err := Parse([]byte(`{"redirect_uris":["`+redirect+`"]}`), Rules{Methods: documentMethods}); err == nil && !strings.HasPrefix(redirect, "com.") {
			t.Errorf("%s: accepted without leave", redirect)
		}
	}
	if _, err := Parse([]byte(`{"redirect_uris":["cursor://x/cb"],"application_type":"web"}`), Rules{Schemes: []string{"cursor"}, Methods: documentMethods}); !errors.Is(err, ErrRedirect) {
		t.Errorf("a web client: %v", err)
	}
}

func TestPermitted(t *testing.T) {
	for redirect, want := range map[string]bool{
		"https://a.example/cb": true, "http://127.0.0.1/cb": true, "com.example.app:/cb": true, "cursor://x": true, "vscode://x": false, "%": false,
	} {
		if got := Permitted(redirect, []string{"cursor"}); got != want {
			t.Errorf("%s: %v", redirect, got)
		}
	}
}

package trail

import (
	"strings"
	"testing"
)

func TestPathsHaveNoSecrets(t *testing.T) {
	secret := strings.Repeat("s", 43)
	for path, want := range map[string]string{
		"/":                               "/",
		"/token":                          "/token",
		"/reset/" + secret:                "/reset/…",
		"/register/prm_" + secret:         "/register/…",
		"/api/v1/users/user_abc/sessions": "/api/v1/users/user_abc/sessions",
		"/api/v1/tokens/" + secret + "/x": "/api/v1/tokens/…/x",
	} {
		if got := Path(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

package credential_test

import (
	"strings"
	"testing"

	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

func TestHeader(t *testing.T) {
	for _, row := range []struct{ name, secret string }{
		{"Authorization", ""},
		{"Authorization", "a\nb"},
		{"", "hush"},
		{"Mcp-Session-Id", "hush"},
		{"content-type", "hush"},
	} {
		if _, err := credential.NewHeader(row.name, "Bearer ", row.secret); err == nil {
			t.Errorf("%q with secret %q was accepted", row.name, row.secret)
		}
	}
	c, err := credential.NewHeader("x-api-key", "", "hush")
	if err != nil || strings.Contains(c.String(), "hush") {
		t.Errorf("%v %v", c, err)
	}
	shown, err := c.Show(t.Context(), proxy.Purpose{})
	if err != nil || shown.Get("X-Api-Key") != "hush" {
		t.Errorf("%v %v", shown, err)
	}
}

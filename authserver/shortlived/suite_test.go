package shortlived

import (
	"testing"

	"github.com/postern-mcp/postern/authserver/store/storetest"
)

func TestCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, p func(*testing.T) *place) {
		storetest.Codes(t, func(t *testing.T) storetest.Store { return p(t).open(t) })
	})
}

func TestDevices(t *testing.T) {
	everywhere(t, func(t *testing.T, p func(*testing.T) *place) {
		storetest.Devices(t, func(t *testing.T) storetest.Store { return p(t).open(t) })
	})
}

func TestSessions(t *testing.T) {
	everywhere(t, func(t *testing.T, p func(*testing.T) *place) {
		storetest.Sessions(t, func(t *testing.T) *Store { return p(t).open(t) })
	})
}

package store_test

import (
	"testing"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

func openFile(t *testing.T) *store.DB {
	t.Helper()
	return store.OpenURL(t, storetest.File(t))
}

func everywhere(t *testing.T, suite func(*testing.T, storetest.Opener)) {
	t.Run("sqlite", func(t *testing.T) {
		suite(t, func(t *testing.T) storetest.Store { return openFile(t) })
	})
	t.Run("postgres", func(t *testing.T) {
		suite(t, func(t *testing.T) storetest.Store { return store.OpenServer(t) })
	})
}

func TestCodes(t *testing.T) { everywhere(t, storetest.Codes) }

func TestDevices(t *testing.T) { everywhere(t, storetest.Devices) }

func TestSessions(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { storetest.Sessions(t, openFile) })
	t.Run("postgres", func(t *testing.T) { storetest.Sessions(t, store.OpenServer) })
}

package credential

import (
	"strings"

	"github.com/postern-mcp/postern/proxy/watched"
)

// watch makes a value from files. That a change cannot be taken is logged and
// shows in the metrics until it can.
func watch[T any](kit Kit, parse func([][]byte) (T, error), paths ...string) (*watched.Value[T], error) {
	if err := kit.complete(); err != nil {
		return nil, err
	}
	files := strings.Join(paths, " ")
	stale := kit.Metrics.files.WithLabelValues(kit.Server, files)
	return watched.New(kit.Now, func(err error) {
		if err != nil {
			stale.Set(1)
			kit.Log.Error("credential files not taken, what was read before serves on", "server", kit.Server, "error", err)
			return
		}
		stale.Set(0)
		kit.Log.Info("credential files taken", "server", kit.Server, "files", files)
	}, parse, paths...)
}

package credential

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	lookPause = time.Second // between looks at the same files
	fileLimit = 1 << 20     // bytes of one file
)

// watched is a value made from files, and made anew when they change. It is
// looked after when it is used: nothing runs in between. Symbolic links are
// followed, so that the swap by which Kubernetes renews secrets is a change.
type watched[T any] struct {
	kit   Kit
	paths []string
	parse func(contents [][]byte) (T, error)

	value  atomic.Pointer[T]
	looked atomic.Int64 // unix nanoseconds

	mu        sync.Mutex
	seen      []os.FileInfo // of what value was made from
	complaint string        // last said about the files, "" while they are fine
}

// watch reads the files for the first time, when they must be usable.
func watch[T any](kit Kit, parse func([][]byte) (T, error), paths ...string) (*watched[T], error) {
	if err := kit.complete(); err != nil {
		return nil, err
	}
	w := &watched[T]{kit: kit, paths: paths, parse: parse}
	w.looked.Store(kit.Now().UnixNano())
	if _, err := w.renew(); err != nil {
		return nil, err
	}
	return w, nil
}

// get is the value of the files as they were at most a second ago.
func (w *watched[T]) get() T {
	now, last := w.kit.Now().UnixNano(), w.looked.Load()
	if now-last >= int64(lookPause) && w.looked.CompareAndSwap(last, now) {
		w.reload()
	}
	return *w.value.Load()
}

// reload takes a change. What cannot be used is said once.
func (w *watched[T]) reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	renewed, err := w.renew()
	stale := w.kit.Metrics.files.WithLabelValues(w.kit.Server, strings.Join(w.paths, " "))
	if err != nil {
		stale.Set(1)
		if err.Error() != w.complaint {
			w.complaint = err.Error()
			w.kit.Log.Error("credential files not taken, what was read before serves on", "server", w.kit.Server, "error", err)
		}
		return
	}
	stale.Set(0)
	if renewed || w.complaint != "" {
		w.complaint = ""
		w.kit.Log.Info("credential files taken", "server", w.kit.Server, "files", strings.Join(w.paths, " "))
	}
}

// renew makes the value again unless the files are those it was made from.
func (w *watched[T]) renew() (renewed bool, err error) {
	found := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if found[i], err = os.Stat(path); err != nil {
			return false, err
		}
	}
	if w.unchanged(found) {
		return false, nil
	}
	contents := make([][]byte, len(w.paths))
	for i, path := range w.paths {
		if contents[i], err = readFile(path); err != nil {
			return false, err
		}
	}
	value, err := w.parse(contents)
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(w.paths, " "), err)
	}
	w.value.Store(&value)
	w.seen = found
	return true, nil
}

func (w *watched[T]) unchanged(found []os.FileInfo) bool {
	if len(w.seen) != len(found) {
		return false
	}
	for i, now := range found {
		was := w.seen[i]
		if !os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size() {
			return false
		}
	}
	return true
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return nil, err
	}
	if len(content) > fileLimit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, fileLimit)
	}
	return content, nil
}

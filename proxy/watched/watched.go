// Package watched makes values from files, and makes them anew when the files
// change.
//
// Laws: what cannot be used leaves the old value, and is told of once; files
// are looked at when the value is used, at most once a second, and nobody
// waits for another's look; symbolic links are followed, so that the swap by
// which Kubernetes renews secrets is a change.
package watched

import (
	"errors"
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

// Value is made from files.
type Value[T any] struct {
	now   func() time.Time
	told  func(error)
	parse func(contents [][]byte) (T, error)
	paths []string

	value  atomic.Pointer[T]
	looked atomic.Int64 // unix nanoseconds

	mu        sync.Mutex
	seen      []os.FileInfo // of what was read last
	complaint string        // last told about the files, "" while they are fine
}

// New reads the files for the first time, when they must be usable; parse gets
// their contents in the order of paths. told hears of every change from then
// on: nil when it was taken, or once, why it was not.
func New[T any](now func() time.Time, told func(error), parse func(contents [][]byte) (T, error), paths ...string) (*Value[T], error) {
	if now == nil || told == nil || parse == nil || len(paths) == 0 {
		return nil, errors.New("watched: a clock, somebody to tell, a parser and files are required")
	}
	v := &Value[T]{now: now, told: told, parse: parse, paths: paths}
	v.looked.Store(now().UnixNano())
	if _, err := v.renew(); err != nil {
		return nil, err
	}
	return v, nil
}

// Get is the value of the files as they were at most a second ago.
func (v *Value[T]) Get() T {
	now, last := v.now().UnixNano(), v.looked.Load()
	if now-last >= int64(lookPause) && v.looked.CompareAndSwap(last, now) {
		v.Look()
	}
	return *v.value.Load()
}

// Look takes a change now.
func (v *Value[T]) Look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	renewed, err := v.renew()
	switch {
	case err != nil && err.Error() != v.complaint:
		v.complaint = err.Error()
		v.told(err)
	case err == nil && (renewed || v.complaint != ""):
		v.complaint = ""
		v.told(nil)
	}
}

// renew makes the value again unless the files are those it was made from.
func (v *Value[T]) renew() (renewed bool, err error) {
	found := make([]os.FileInfo, len(v.paths))
	for i, path := range v.paths {
		if found[i], err = os.Stat(path); err != nil {
			return false, err
		}
	}
	if v.unchanged(found) {
		return false, nil
	}
	contents := make([][]byte, len(v.paths))
	for i, path := range v.paths {
		if contents[i], err = readFile(path); err != nil {
			return false, err
		}
	}
	value, err := v.parse(contents)
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(v.paths, " with "), err)
	}
	v.value.Store(&value)
	v.seen = found
	return true, nil
}

func (v *Value[T]) unchanged(found []os.FileInfo) bool {
	if len(v.seen) != len(found) {
		return false
	}
	for i, now := range found {
		was := v.seen[i]
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

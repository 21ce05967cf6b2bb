package jose

import "sync"

const (
	memoHeader  = 1 << 10 // bytes of the longest header remembered
	memoEntries = 1024    // in each generation
)

// memo remembers what recent headers with an embedded key decode to. A client
// sends the same one with each of its proofs; decoding is a pure function of
// its bytes, so nothing is proven by being remembered.
type memo struct {
	mu            sync.RWMutex
	recent, older map[string]keyedHeader
}

type keyedHeader struct {
	header header
	key    PublicKey
}

var keyedHeaders memo

// get finds a header by its bytes as sent.
func (m *memo) get(encoded []byte) (keyedHeader, bool) {
	if len(encoded) > memoHeader {
		return keyedHeader{}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if known, ok := m.recent[string(encoded)]; ok {
		return known, true
	}
	known, ok := m.older[string(encoded)]
	return known, ok
}

// put remembers; when a generation is full, the one before it is forgotten.
func (m *memo) put(encoded []byte, k keyedHeader) {
	if len(encoded) > memoHeader {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recent == nil || len(m.recent) >= memoEntries {
		m.older, m.recent = m.recent, make(map[string]keyedHeader)
	}
	m.recent[string(encoded)] = k
}

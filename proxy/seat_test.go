package proxy

import (
	"sync"
	"testing"
)

// However many come and go at once, nobody holds more than its share, and
// nothing is left at the end.
func TestTally(t *testing.T) {
	const most = 3
	tally := newTally(most)
	subjects := []subject{{"i", "a"}, {"i", "b"}, {"j", "a"}}
	var group sync.WaitGroup
	for i := range 32 {
		s := subjects[i%len(subjects)]
		group.Go(func() {
			for range 500 {
				if !tally.enter(s) {
					continue
				}
				tally.mu.Lock()
				open := tally.open[s]
				tally.mu.Unlock()
				if open > most {
					t.Errorf("%v has %d open", s, open)
				}
				tally.leave(s)
			}
		})
	}
	group.Wait()
	if len(tally.open) != 0 {
		t.Errorf("left at the end: %v", tally.open)
	}
	for range most {
		if !tally.enter(subjects[0]) {
			t.Fatal("refused within its share")
		}
	}
	tally.add(subjects[0])
	if tally.enter(subjects[0]) || !tally.enter(subjects[2]) {
		t.Error("the share of one is not its own")
	}
}

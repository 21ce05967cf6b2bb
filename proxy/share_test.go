package proxy

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// Lists take from the memory that large messages share, twice what they need
// because a second copy will be made, and give all of it back.
func TestListsTakeFromTheShare(t *testing.T) {
	const all = largeBodies * smallBody
	for _, row := range []struct {
		size    int
		free    int64 // of the memory, when the list comes
		reason  reason
		atLeast int64 // taken in the end
	}{
		{smallBody - 1, 0, "", 0},
		{smallBody, 0, reasonBusy, 0},
		{smallBody, all, "", 0},
		{1 << 20, all, "", 1 << 20},
		{1 << 20, 1 << 20, reasonBusy, 0},
		{8 << 20, all, reasonBusy, 0},
	} {
		memory := newMemory(1024)
		if !memory.TryAcquire(all - row.free) {
			t.Fatal("the memory is smaller than it should be")
		}
		s := &share{of: memory}
		list, err := s.readList(bytes.NewReader(make([]byte, row.size)))
		var why *refusal
		if errors.As(err, &why) && why.reason != row.reason || (err == nil) != (row.reason == "") {
			t.Errorf("%d bytes with %d free: %v, want %q", row.size, row.free, err, row.reason)
		}
		if err == nil && (len(list) != row.size || s.held < row.atLeast) {
			t.Errorf("%d bytes read of %d, %d taken", len(list), row.size, s.held)
		}
		if s.leave(); !memory.TryAcquire(row.free) {
			t.Errorf("%d bytes with %d free: not all is given back", row.size, row.free)
		}
	}
}

func TestListThatBreaksOffIsAnError(t *testing.T) {
	s := &share{of: newMemory(1024)}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 100<<10)), failing{})
	if list, err := s.readList(broken); list != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v", len(list), err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

package queue

import "slices"

// share is the place of one caller, or shares that take turns.
type share struct {
	key  string
	size int      // callers who wait in it
	ring []*share // none is empty; whose turn is next stands first

	// Of the place of one caller:
	caller Caller
	turn   chan error // nil: it has come
}

func newPlace(c Caller) *share {
	return &share{size: 1, caller: c, turn: make(chan error, 1)}
}

func (s *share) isPlace() bool { return s.turn != nil }

// find is the share of a key, nil when nobody waits in it.
func (s *share) find(key string) *share {
	for _, one := range s.ring {
		if !one.isPlace() && one.key == key {
			return one
		}
	}
	return nil
}

// add puts a place behind the others of its shares, and a share that nobody
// waited in behind the others around it.
func (s *share) add(path []string, place *share) {
	s.size++
	if len(path) == 0 {
		s.ring = append(s.ring, place)
		return
	}
	in := s.find(path[0])
	if in == nil {
		in = &share{key: path[0]}
		s.ring = append(s.ring, in)
	}
	in.add(path[1:], place)
}

// next takes out the place whose turn it is. Its shares are last now.
func (s *share) next() *share {
	s.size--
	first := s.ring[0]
	s.ring = slices.Delete(s.ring, 0, 1)
	if first.isPlace() {
		return first
	}
	place := first.next()
	if first.size > 0 {
		s.ring = append(s.ring, first)
	}
	return place
}

// remove takes out a place, where it still waits.
func (s *share) remove(path []string, place *share) bool {
	one := place
	if len(path) > 0 {
		one = s.find(path[0])
		if one == nil || !one.remove(path[1:], place) {
			return false
		}
	}
	i := slices.Index(s.ring, one)
	if i < 0 {
		return false
	}
	if one.isPlace() || one.size == 0 {
		s.ring = slices.Delete(s.ring, i, i+1)
	}
	s.size--
	return true
}

// giveWay takes out the last place of the largest share, for a newcomer whose
// own share would be no larger with them than that one without; nil when there
// is none at any width.
func (s *share) giveWay(path []string) (place *share) {
	if len(path) == 0 {
		return nil
	}
	own, size := s.find(path[0]), 0
	if own != nil {
		size = own.size
	}
	switch largest := s.largest(); {
	case largest.size >= size+2:
		place = largest.last()
	case own != nil:
		place = own.giveWay(path[1:])
	}
	if place != nil {
		s.size--
	}
	return place
}

// last takes out the place that came last to the largest share.
func (s *share) last() *share {
	s.size--
	largest := s.largest()
	place := largest
	if !largest.isPlace() {
		place = largest.last()
	}
	if largest.isPlace() || largest.size == 0 {
		i := slices.Index(s.ring, largest)
		s.ring = slices.Delete(s.ring, i, i+1)
	}
	return place
}

// largest is the one in which most wait, of several the one whose turn is last.
func (s *share) largest() *share {
	found := s.ring[0]
	for _, one := range s.ring {
		if one.size >= found.size {
			found = one
		}
	}
	return found
}

package queue

// line is who waits, by share, and those of each account among them by share once
// more.
type line struct {
	all      share
	accounts map[string]*share // none is empty
}

func newLine() line { return line{accounts: map[string]*share{}} }

func (l *line) add(place *share) {
	c := place.caller
	l.all.add(c.Shares, place)
	if c.Account == "" {
		return
	}
	if l.accounts[c.Account] == nil {
		l.accounts[c.Account] = &share{}
	}
	l.accounts[c.Account].add(c.Shares, place)
}

// remove takes out a place, where it still waits.
func (l *line) remove(place *share) bool {
	l.forget(place)
	return l.all.remove(place.caller.Shares, place)
}

// next takes out the place whose turn it is.
func (l *line) next() *share {
	place := l.all.next()
	l.forget(place)
	return place
}

// forget takes a place out of those of its account.
func (l *line) forget(place *share) {
	c := place.caller
	of := l.accounts[c.Account]
	if of != nil && of.remove(c.Shares, place) && of.size == 0 {
		delete(l.accounts, c.Account)
	}
}

// makeRoom sends somebody of a larger share away where there is no place for a
// newcomer: where their account has none, one who waits for that account, which
// leaves a place in the line too.
func (l *line) makeRoom(c Caller, most Bounds) bool {
	within := &l.all
	of := l.accounts[c.Account]
	switch {
	case of != nil && of.size >= most.OfAccount:
		within = of
	case l.all.size < most.Waiting:
		return true
	}
	out := within.giveWay(c.Shares)
	if out == nil {
		return false
	}
	l.remove(out)
	out.turn <- ErrBusy
	return true
}

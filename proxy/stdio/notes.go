package stdio

// noted gives a notification to those it provably belongs to. It returns why
// it goes to nobody, or "".
func (l *life) noted(m *message) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case m.method == "notifications/progress":
		return l.progressed(m)
	case m.method == "notifications/cancelled":
		return l.withdrawn(m)
	case !m.listener.absent():
		return l.subscribed(m)
	}
	switch m.method {
	case "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed":
		return l.broadcast([]byte(`{"jsonrpc":"2.0","method":"`+m.method+`"}`), func(*session) bool { return true })
	case "notifications/resources/updated":
		news := `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":` + string(quoted(m.uri)) + `}}`
		return l.broadcast([]byte(news), func(s *session) bool { return s.uris[m.uri] })
	}
	return dropUnsolicited
}

// progressed: the token the child got is the name of the exchange.
func (l *life) progressed(m *message) string {
	e := l.waiting[string(m.of(m.token))]
	if e == nil || e.token == nil {
		return dropUnknown
	}
	if e.quiet {
		return ""
	}
	return push(e.messages, m.edited(change{m.token, e.token}))
}

// subscribed: the subscription the child names is the exchange that opened it.
func (l *life) subscribed(m *message) string {
	e := l.waiting[string(m.of(m.listener))]
	if e == nil || !e.listens {
		return dropUnknown
	}
	return push(e.messages, m.edited(change{m.listener, e.id}))
}

// withdrawn: a child ends a subscription by cancelling the request that opened
// it; over HTTP its stream just ends.
func (l *life) withdrawn(m *message) string {
	e := l.waiting[string(m.of(m.cancelled))]
	if e == nil || !e.listens {
		return dropUnsolicited
	}
	l.shut(e)
	e.messages <- piece{last: true, status: 200}
	return ""
}

// broadcast gives a notification to the sessions that listen and are meant. It
// is the bridge's own text: what else the child wrote into its notification
// may be of one caller.
func (l *life) broadcast(text []byte, meant func(*session) bool) string {
	for _, s := range l.sessions {
		if s.stream == nil || !meant(s) {
			continue
		}
		if why := push(s.stream, text); why != "" {
			l.child.drop(why)
		}
	}
	return ""
}

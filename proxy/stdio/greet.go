package stdio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	newestLegacy  = "2025-11-25"
	probePatience = 5 * time.Second // some servers say nothing to a method they do not know
)

// greet makes the handshake once for all callers and finds out which eras of
// the protocol the child serves. From then on callers come.
func (l *life) greet() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.child.conf.Timeout)
	defer cancel()
	name := fmt.Sprintf(`{"name":"postern","version":%s}`, quoted(l.child.conf.Version))
	answer, err := l.ask(ctx, "initialize", `{"protocolVersion":"`+newestLegacy+`","capabilities":{},"clientInfo":`+name+`}`)
	if err != nil {
		return fmt.Errorf("it does not answer initialize: %w", err)
	}
	if answer.failed.absent() {
		if err := l.welcomed(answer); err != nil {
			return err
		}
		if err := l.send(ctx, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)); err != nil {
			return err
		}
	}
	if l.modern, err = l.probe(ctx, name); err != nil {
		return err
	}
	if l.welcome == nil && !l.modern {
		return errors.New("it answers neither initialize nor server/discover: is it an MCP server?")
	}
	l.child.up(l)
	l.child.conf.Log.Info("the child process answers", "eras", l.eras())
	return nil
}

// eras are the protocol versions that callers can speak with the child.
func (l *life) eras() string {
	switch {
	case l.welcome == nil:
		return stateless
	case l.modern:
		return l.version + ", " + stateless
	}
	return l.version
}

// welcomed keeps the answer to initialize for callers. Log messages reach
// nobody, so they are not promised.
func (l *life) welcomed(answer *message) error {
	var capabilities span
	err := members(answer.raw, answer.result, func(name string, v span) error {
		switch name {
		case "protocolVersion":
			l.version = text(answer.of(v))
		case "capabilities":
			capabilities = v
		}
		return nil
	})
	if err != nil || l.version == "" || capabilities.absent() {
		return errors.New("its answer to initialize names no protocolVersion and capabilities")
	}
	kept, err := without(answer.raw, capabilities, "logging")
	if err != nil {
		return errors.New("its capabilities are no object")
	}
	whole := &message{raw: answer.of(answer.result)}
	at := span{capabilities.from - answer.result.from, capabilities.to - answer.result.from}
	l.welcome = whole.edited(change{at, kept})
	return nil
}

// without is the object that stands at in, less one member.
func without(raw []byte, in span, unwanted string) ([]byte, error) {
	var kept [][]byte
	err := members(raw, in, func(name string, v span) error {
		if name != unwanted {
			kept = append(kept, append(append(quoted(name), ':'), raw[v.from:v.to]...))
		}
		return nil
	})
	return append(append([]byte{'{'}, bytes.Join(kept, []byte{','})...), '}'), err
}

// probe asks whether requests of 2026-07-28 are served beside, or instead of,
// those of the handshake.
func (l *life) probe(ctx context.Context, name string) (bool, error) {
	if l.welcome != nil {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, probePatience)
		defer cancel()
	}
	answer, err := l.ask(ctx, "server/discover", `{"_meta":{"`+protocolKey+`":"`+stateless+`",`+
		`"io.modelcontextprotocol/clientInfo":`+name+`,"io.modelcontextprotocol/clientCapabilities":{}}}`)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	if err != nil || !answer.failed.absent() {
		return false, err
	}
	var found struct {
		Versions []string `json:"supportedVersions"`
	}
	if err := json.Unmarshal(answer.of(answer.result), &found); err != nil {
		return false, nil
	}
	for _, version := range found.Versions {
		if version >= stateless {
			return true, nil
		}
	}
	return false, nil
}

// ask is a request of the bridge itself.
func (l *life) ask(ctx context.Context, method, params string) (*message, error) {
	e := &exchange{id: []byte("null"), quiet: true}
	l.open(e)
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shut(e)
	}()
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, e.name, method, params)
	if err := l.send(ctx, []byte(request)); err != nil {
		return nil, err
	}
	select {
	case answer := <-e.messages:
		return read(answer.text)
	case <-l.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func quoted(text string) []byte {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return []byte(`""`) // not UTF-8
	}
	return out
}

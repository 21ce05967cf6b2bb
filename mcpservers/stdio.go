package mcpservers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const stdioConcurrency = 16

// Stdio serves s on the pair until in ends or ctx is done, one message a line.
// Calls that are running when in ends are answered first.
func Stdio(ctx context.Context, s *server.MCPServer, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &pipe{server: s, out: out, notes: make(chan mcp.JSONRPCNotification, 100), slots: make(chan struct{}, stdioConcurrency)}
	if err := s.RegisterSession(ctx, p); err != nil {
		return fmt.Errorf("mcpservers: stdio: %w", err)
	}
	defer s.UnregisterSession(ctx, p.SessionID())
	ctx = s.WithContext(ctx, p)
	go p.notify(ctx)

	done := make(chan error, 1)
	go func() { done <- p.serve(ctx, in) }()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		return err
	}
}

// pipe is the one session of a stdio server.
type pipe struct {
	server *server.MCPServer
	notes  chan mcp.JSONRPCNotification
	slots  chan struct{}
	calls  sync.WaitGroup

	mu          sync.Mutex // guards what follows
	out         io.Writer
	initialized bool
}

func (p *pipe) SessionID() string                                   { return "stdio" }
func (p *pipe) NotificationChannel() chan<- mcp.JSONRPCNotification { return p.notes }

func (p *pipe) Initialize() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.initialized = true
}

func (p *pipe) Initialized() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.initialized
}

func (p *pipe) serve(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, MaxMessage)
	for lines.Scan() && ctx.Err() == nil {
		p.accept(ctx, lines.Bytes())
	}
	p.calls.Wait()
	if err := lines.Err(); err != nil {
		return fmt.Errorf("mcpservers: stdio: %w", err)
	}
	return nil
}

// accept answers a request on its own goroutine. Notifications and initialize
// are handled in order, because what follows depends on them.
func (p *pipe) accept(ctx context.Context, line []byte) {
	if len(line) == 0 {
		return
	}
	message, err := readable(line)
	if err != nil {
		p.write(parseError)
		return
	}
	message = append([]byte(nil), message...)
	var head struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if json.Unmarshal(message, &head) != nil || head.ID == nil || head.Method == string(mcp.MethodInitialize) {
		p.answer(ctx, message)
		return
	}
	if head.Method == string(mcp.MethodSubscriptionsListen) { // lasts until ctx is done
		go p.answer(ctx, message)
		return
	}
	p.slots <- struct{}{}
	p.calls.Go(func() {
		defer func() { <-p.slots }()
		p.answer(ctx, message)
	})
}

func (p *pipe) answer(ctx context.Context, message []byte) {
	if response := p.server.HandleMessage(ctx, message); response != nil {
		p.send(response)
	}
}

func (p *pipe) notify(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case note := <-p.notes:
			p.send(note)
		}
	}
}

func (p *pipe) send(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		return // unreachable: the library built it
	}
	p.write(append(line, '\n'))
}

func (p *pipe) write(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(line) // a reader that is gone also ends in
}

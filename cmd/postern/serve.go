package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const maxHeader = 32 << 10 // bytes of one request's header

// bounds of an HTTP/2 connection. What cannot be written for writeTime ends it.
// A stream that its client resets counts among the concurrent ones until its
// handler has noticed.
func bounds(writeTime time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          250,
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerConnection: 512 << 10,
		MaxReceiveBufferPerStream:     128 << 10,
		MaxDecoderHeaderTableSize:     4 << 10,
		SendPingTimeout:               time.Minute,
		WriteByteTimeout:              writeTime,
	}
}

// service is one listener with its handler.
type service struct {
	name     string // for messages
	listener net.Listener
	handler  http.Handler
	idle     time.Duration // until a connection with nothing to do is closed; 0 takes two minutes
	piece    time.Duration // until a client has taken a piece of an HTTP/2 answer; 0 takes half a minute
	answer   time.Duration // until an answer is out; 0 for those that stream
	arrival  time.Duration // until a request is in, body included; 0 leaves it to the handler, for those that stream
}

// listen binds an address. A taken port names itself and the key that moves it.
func listen(address, mover string, log *slog.Logger) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, usageError{fmt.Errorf("cannot listen on %s: %w\nMove it with %s", address, rootCause(err), mover)}
	}
	return &heard{ln, &seldom{log: log}}, nil
}

func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// serve runs services until ctx ends or one of them fails. Then requests get
// the grace to finish; draining is closed first.
func serve(ctx context.Context, log *slog.Logger, grace time.Duration, services ...service) error {
	failed := make(chan error, len(services))
	var servers []*http.Server
	var running sync.WaitGroup
	for _, s := range services {
		server := &http.Server{
			Handler:           counted(&running, s.handler),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       s.arrival,
			WriteTimeout:      s.answer,
			IdleTimeout:       cmp.Or(s.idle, 2*time.Minute),
			MaxHeaderBytes:    maxHeader,
			HTTP2:             bounds(cmp.Or(s.piece, 30*time.Second)),
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		servers = append(servers, server)
		go func() {
			if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", s.name, err)
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, shutdown(servers, grace))
	finish(&running, time.Second)
	return err
}

// counted lets the end wait for handlers whose connection was cut off: they
// have their audit line to write.
func counted(running *sync.WaitGroup, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		h.ServeHTTP(w, r)
	})
}

func finish(running *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// shutdown ends all servers at once; what is still open after the grace is cut off.
func shutdown(servers []*http.Server, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var group sync.WaitGroup
	for _, s := range servers {
		group.Go(func() {
			if s.Shutdown(ctx) != nil {
				_ = s.Close() // streams that outlast the grace are meant to break
			}
		})
	}
	group.Wait()
	return nil
}

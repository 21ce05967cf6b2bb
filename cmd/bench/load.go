package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}`

// subject is one case: where calls go, how they are authorized, whose CPU counts.
// What belongs to a call is asked for by its number.
type subject struct {
	name    string
	url     string
	process *process
	header  func(call int) http.Header
	body    func(call int) string
	take    func(call int, answer []byte) error // judges what came with 200
}

// mcp makes s a case of tool calls.
func mcp(s subject) *subject {
	s.body = func(int) string { return body }
	s.take = func(_ int, answer []byte) error {
		if string(answer) != reply {
			return fmt.Errorf("answered %s", answer)
		}
		return nil
	}
	return &s
}

// sample is one round of one case.
type sample struct {
	perSecond, cpu, p50, p99 float64 // calls/s, µs, µs, µs
}

// round makes n calls, `clients` at a time, and fails on any answer but 200.
func round(ctx context.Context, s subject, n, clients int) (sample, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var failure atomic.Pointer[error]
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for failure.Load() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				at := time.Now()
				if err := call(ctx, transport, s, i); err != nil {
					failure.CompareAndSwap(nil, &err)
				}
				took[i] = time.Since(at)
			}
		})
	}
	group.Wait()
	wall := time.Since(began)
	if err := failure.Load(); err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.name, *err)
	}
	after, err := s.process.cpu()
	slices.Sort(took)
	return sample{
		perSecond: float64(n) / wall.Seconds(),
		cpu:       micros(after-before) / float64(n),
		p50:       micros(took[n/2]),
		p99:       micros(took[n*99/100]),
	}, err
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func call(ctx context.Context, transport http.RoundTripper, s subject, i int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(s.body(i)))
	if err != nil {
		return err
	}
	req.Header = s.header(i)
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return s.take(i, answer)
}

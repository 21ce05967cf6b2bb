package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stand is everything that runs during the measurement.
type stand struct {
	folder   string
	issuer   *issuer
	subjects []*subject
	idle     float64 // MiB of a proxy that has started and not been called
	running  []*process
}

func (s settings) measure(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	st := &stand{folder: folder}
	defer st.stop()
	if err := st.start(s); err != nil {
		return err
	}
	samples := map[string][]sample{}
	var verifications []float64
	for r := range s.rounds + 1 {
		for _, sub := range st.subjects {
			if err := st.arm(sub, s.calls); err != nil {
				return err
			}
			got, err := round(ctx, *sub, s.calls, s.clients)
			if err != nil {
				return err
			}
			if r > 0 { // the first round warms up
				samples[sub.name] = append(samples[sub.name], got)
			}
		}
		one, err := verification(2000)
		if err != nil {
			return err
		}
		verifications = append(verifications, one)
		fmt.Fprintf(os.Stderr, "round %d of %d\n", r, s.rounds)
	}
	slices.Sort(verifications)
	return st.report(s, samples, verifications[len(verifications)/2])
}

func (st *stand) stop() {
	for _, p := range st.running {
		p.stop()
	}
}

func (st *stand) child(address string, name string, args ...string) (*process, error) {
	p, err := start(name, args...)
	if err != nil {
		return nil, err
	}
	st.running = append(st.running, p)
	return p, p.waitFor(address)
}

func (st *stand) start(s settings) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	upstream, err := freeAddress()
	if err != nil {
		return err
	}
	behind, err := st.child(upstream, self, "-role", "upstream", "-address", upstream)
	if err != nil {
		return err
	}
	bare, err := freeAddress()
	if err != nil {
		return err
	}
	floor, err := st.child(bare, self, "-role", "bare", "-address", bare, "-target", "http://"+upstream)
	if err != nil {
		return err
	}
	if st.issuer, err = startIssuer(); err != nil {
		return err
	}
	none := func(int) http.Header { return http.Header{} }
	st.subjects = append(st.subjects,
		mcp(subject{name: "direct", url: "http://" + upstream + "/mcp", process: behind, header: none}),
		mcp(subject{name: "bare proxy", url: "http://" + bare + "/mcp", process: floor, header: none}))
	return st.startProxies(s, upstream)
}

func (st *stand) startProxies(s settings, upstream string) error {
	local, err := st.proxy(s, upstream, "")
	if err != nil {
		return err
	}
	if st.idle, err = local.process.resident(); err != nil {
		return err
	}
	redis, url, err := startRedis(st.folder)
	if redis != nil {
		st.running = append(st.running, redis)
	}
	if err != nil {
		return err
	}
	shared, err := st.proxy(s, upstream, url)
	if err != nil {
		return err
	}
	bearer, dpop := *local, *local
	bearer.name, dpop.name, shared.name = "bearer", "DPoP", "DPoP + Redis"
	st.subjects = append(st.subjects, &bearer, &dpop, shared)
	return nil
}

func (st *stand) proxy(s settings, upstream, redis string) (*subject, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(st.folder, "proxy-")
	if err != nil {
		return nil, err
	}
	config, err := writeConfig(folder, listen, admin, st.issuer.url, upstream, redis)
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(s.binary)
	if err != nil {
		return nil, err
	}
	p, err := st.child(listen, binary, "proxy", "-c", config)
	return mcp(subject{url: "http://" + listen + "/mcp", process: p}), err
}

// arm gives a case its tokens, and for DPoP a fresh proof for every call.
func (st *stand) arm(sub *subject, calls int) error {
	switch sub.name {
	case "direct", "bare proxy":
		return nil
	case "bearer":
		access, err := st.issuer.token(sub.url, false)
		sub.header = func(int) http.Header { return http.Header{"Authorization": {"Bearer " + access}} }
		return err
	}
	access, err := st.issuer.token(sub.url, true)
	if err != nil {
		return err
	}
	proofs, err := st.issuer.proofs(calls, sub.url, access)
	sub.header = func(i int) http.Header {
		return http.Header{"Authorization": {"DPoP " + access}, "Dpop": {proofs[i]}}
	}
	return err
}

// verification is the CPU time of one P-256 signature check in µs.
func verification(n int) (float64, error) {
	key, digest, err := benchKey()
	if err != nil {
		return 0, err
	}
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		return 0, err
	}
	return perCore(n, func() bool { return ecdsa.VerifyASN1(&key.PublicKey, digest, sig) })
}

// signing is the same of one signature.
func signing(n int) (float64, error) {
	key, digest, err := benchKey()
	if err != nil {
		return 0, err
	}
	return perCore(n, func() bool {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest)
		return err == nil
	})
}

func benchKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	digest := sha256.Sum256([]byte("bench"))
	return key, digest[:], err
}

// perCore is the CPU time of what is done n times by every core, each as busy
// as the calls keep it, in µs.
func perCore(n int, operation func() bool) (float64, error) {
	before, err := ownCPU()
	if err != nil {
		return 0, err
	}
	workers := runtime.GOMAXPROCS(0)
	var wrong atomic.Bool
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range n {
				if !operation() {
					wrong.Store(true)
				}
			}
		})
	}
	group.Wait()
	if wrong.Load() {
		return 0, errors.New("a signature failed")
	}
	after, err := ownCPU()
	return micros(after-before) / float64(n*workers), err
}

// ownCPU is user and system time of this process (getrusage(2)).
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func median(samples []sample, pick func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = pick(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (st *stand) report(s settings, samples map[string][]sample, verify float64) error {
	cpu := map[string]float64{}
	fmt.Printf("%d calls a round, %d rounds, %d in flight; medians\n\n", s.calls, s.rounds, s.clients)
	fmt.Printf("%-14s %10s %14s %10s %10s %10s\n", "case", "calls/s", "CPU µs/call", "p50 µs", "p99 µs", "RSS MiB")
	for _, sub := range st.subjects {
		all := samples[sub.name]
		rss, err := sub.process.resident()
		if err != nil {
			return err
		}
		cpu[sub.name] = median(all, func(s sample) float64 { return s.cpu })
		fmt.Printf("%-14s %10.0f %14.1f %10.0f %10.0f %10.1f\n", sub.name,
			median(all, func(s sample) float64 { return s.perSecond }), cpu[sub.name],
			median(all, func(s sample) float64 { return s.p50 }), median(all, func(s sample) float64 { return s.p99 }), rss)
	}
	floor := cpu["bare proxy"]
	fmt.Printf("\none P-256 verification      %6.1f µs\n", verify)
	fmt.Printf("idle proxy                  %6.1f MiB\n", st.idle)
	fmt.Printf("bearer / bare               %6.2f × CPU\n", cpu["bearer"]/floor)
	fmt.Printf("DPoP / (bare + P-256)       %6.2f × CPU\n", cpu["DPoP"]/(floor+verify))
	fmt.Printf("DPoP + Redis / (bare + P-256) %4.2f × CPU\n", cpu["DPoP + Redis"]/(floor+verify))
	return nil
}

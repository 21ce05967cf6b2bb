package shortlived

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

// Two instances over one PostgreSQL and one Redis are as one.
func TestTwoInstancesSpendOnce(t *testing.T) {
	p := onServer(t)
	one, two := p.open(t), p.open(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		storetest.RedeemOnce(t, name, 8, one, two)
		storetest.DeviceOnce(t, name, 8, one, two)
	}
}

// held is one of everything: what waits, and what was decided.
type held struct {
	*Store
	waits, used       store.Approval
	asks, allowed, no store.DeviceRequest
}

func hold(t *testing.T, s *Store) held {
	t.Helper()
	v := held{Store: s, waits: storetest.Approve(t, s, "waits", "a"), used: storetest.Approve(t, s, "used", "a"),
		asks: storetest.Waiting(t, s, "asks"), allowed: storetest.Waiting(t, s, "allowed"), no: storetest.Waiting(t, s, "no")}
	return v
}

func (v held) decide(t *testing.T) {
	t.Helper()
	must(t, v.redeem(t, v.used, "first"))
	must(t, v.AllowDevice(t.Context(), v.allowed.Hash, storetest.DeviceGrant("1"), ""))
	must(t, v.DenyDevice(t.Context(), v.no.Hash, t0))
}

func (v held) redeem(t *testing.T, a store.Approval, token string) error {
	t.Helper()
	code, err := v.Code(t.Context(), a.Code.Hash)
	if err != nil {
		return err
	}
	_, err = v.Redeem(t.Context(), code, nil, ofGrant(token, a.Grant.ID), t0, t0.Add(time.Hour))
	return err
}

func (v held) redeemDevice(t *testing.T, d store.DeviceRequest, token string) error {
	t.Helper()
	d, err := v.DeviceRequest(t.Context(), d.Hash)
	if err != nil {
		return err
	}
	_, err = v.RedeemDevice(t.Context(), d, nil, ofGrant(token, d.GrantID), t0, t0.Add(time.Hour))
	return err
}

func ofGrant(id, grant string) store.AccessToken {
	return store.AccessToken{ID: id, GrantID: grant, ClientID: "c1", Subject: "u1", ExpiresAt: t0.Add(time.Minute)}
}

// decided expects that what was decided is decided still, and happens once.
func (v held) decided(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	want(t, v.redeem(t, v.used, "second"), store.ErrSpent)
	if g, err := v.Grant(ctx, v.used.Grant.ID); err != nil || g.Revoked {
		t.Errorf("the grant of a code that was used is %+v, %v", g, err)
	}
	for _, d := range []store.DeviceRequest{v.allowed, v.no} {
		want(t, v.AllowDevice(ctx, d.Hash, storetest.DeviceGrant("2"), ""), store.ErrSpent)
		want(t, v.DenyDevice(ctx, d.Hash, t0), store.ErrSpent)
		byCode, err := v.DeviceRequestOf(ctx, d.UserCode)
		if err != nil || byCode.Denied != (d.Hash == v.no.Hash) || (byCode.GrantID != "") != (d.Hash == v.allowed.Hash) {
			t.Errorf("an answered device is %+v, %v", byCode, err)
		}
	}
	must(t, v.redeemDevice(t, v.allowed, "of the device"))
	want(t, v.redeemDevice(t, v.allowed, "once more"), store.ErrSpent)
}

// What Redis loses is refused, and spends nothing.
func TestRedisForgets(t *testing.T) {
	everywhere(t, func(t *testing.T, place func(*testing.T) *place) {
		p := place(t)
		v, ctx := hold(t, p.open(t)), t.Context()
		v.decide(t)
		must(t, p.client.FlushAll(ctx).Err())
		v.decided(t)
		want(t, v.redeem(t, v.waits, "of nothing"), store.ErrNotFound)
		if _, err := v.AccessToken(ctx, "of nothing"); err == nil {
			t.Error("a code that was lost gave a token")
		}
		if g, err := v.Grant(ctx, v.waits.Grant.ID); err != nil || g.Revoked {
			t.Errorf("its grant is %+v, %v", g, err)
		}
		for _, find := range []func() error{
			func() error { _, err := v.DeviceRequest(ctx, v.asks.Hash); return err },
			func() error { _, err := v.DeviceRequestOf(ctx, v.asks.UserCode); return err },
			func() error { return v.PollDevice(ctx, v.asks.Hash, t0) },
		} {
			want(t, find(), store.ErrNotFound)
		}
		want(t, v.AllowDevice(ctx, v.asks.Hash, storetest.DeviceGrant("3"), ""), store.ErrSpent)
		_, err := v.Grant(ctx, storetest.DeviceGrant("3").ID)
		want(t, err, store.ErrNotFound)
	})
}

// copied is all that Redis has, to be put back.
func (p *place) copied(t *testing.T) (putBack func()) {
	t.Helper()
	ctx, was := t.Context(), map[string]string{}
	for _, name := range p.client.Keys(ctx, "*").Val() {
		was[name] = p.client.Dump(ctx, name).Val()
	}
	if len(was) < 5 {
		t.Fatalf("Redis has %d keys", len(was))
	}
	return func() {
		t.Helper()
		for name, value := range was {
			must(t, p.client.RestoreReplace(ctx, name, time.Hour, value).Err())
		}
	}
}

// What Redis brings back was decided, or still waits as it did.
func TestRedisBringsBack(t *testing.T) {
	everywhere(t, func(t *testing.T, place func(*testing.T) *place) {
		p := place(t)
		v := hold(t, p.open(t))
		putBack := p.copied(t)
		v.decide(t)
		putBack()
		v.decided(t)
		must(t, v.redeem(t, v.waits, "of what waits"))
		must(t, v.AllowDevice(t.Context(), v.asks.Hash, storetest.DeviceGrant("4"), ""))
		putBack()
		want(t, v.redeem(t, v.waits, "of what waits no more"), store.ErrSpent)
		want(t, v.DenyDevice(t.Context(), v.asks.Hash, t0), store.ErrSpent)
	})
}

// Whoever writes to Redis makes nothing up, and moves nothing.
func TestForgedInRedis(t *testing.T) {
	p := onFile(t)
	s, ctx := p.open(t), t.Context()
	v := hold(t, s)
	mine, theirs := s.codeName(v.waits.Code.Hash), s.codeName(v.used.Code.Hash)
	for what, forged := range map[string]string{
		"of another code": p.client.Get(ctx, mine).Val(),
		"in plain":        `{"grant":"` + v.waits.Grant.ID + `","redirect":"https://a/","challenge":"ch","expires":1900000000000}`,
		"empty":           "",
	} {
		must(t, p.client.Set(ctx, theirs, forged, time.Hour).Err())
		_, err := s.Code(ctx, v.used.Code.Hash)
		if want(t, err, store.ErrNotFound); t.Failed() {
			t.Fatal(what)
		}
	}
	asks := p.client.HGet(ctx, s.deviceName(v.asks.Hash), deviceAsks).Val()
	must(t, p.client.HSet(ctx, s.deviceName(v.allowed.Hash), deviceAsks, asks).Err())
	_, err := s.DeviceRequest(ctx, v.allowed.Hash)
	want(t, err, store.ErrNotFound)
	want(t, s.AllowDevice(ctx, v.allowed.Hash, storetest.DeviceGrant("1"), ""), store.ErrSpent)
	code := p.client.Get(ctx, s.userCodeNames(v.asks.UserCode)[0]).Val()
	must(t, p.client.Set(ctx, s.userCodeNames(v.allowed.UserCode)[0], code, time.Hour).Err())
	_, err = s.DeviceRequestOf(ctx, v.allowed.UserCode)
	want(t, err, store.ErrNotFound)
}

// Whoever reads Redis learns that somebody waits, and of a device how often it
// asks.
func TestRedisSaysNothing(t *testing.T) {
	p := onFile(t)
	v, ctx := hold(t, p.open(t)), t.Context()
	want(t, v.PollDevice(ctx, v.asks.Hash, t0), nil)
	var all strings.Builder
	for _, name := range p.client.Keys(ctx, "*").Val() {
		all.WriteString(name + p.client.Dump(ctx, name).Val())
		if life := p.client.PTTL(ctx, name).Val(); life <= 0 || life > 2*time.Minute {
			t.Errorf("%s lives for %v", name, life)
		}
	}
	for _, word := range []string{"c1", "u1", "ada", "grant", "host", "jkt", "code waits", "https", "device asks"} {
		if strings.Contains(all.String(), word) {
			t.Errorf("Redis says %q", word)
		}
	}
}

// What waited in the database when Redis took over goes on there, once.
func TestTakesOver(t *testing.T) {
	everywhere(t, func(t *testing.T, place func(*testing.T) *place) {
		s, ctx := place(t).open(t), t.Context()
		a, d := storetest.Approve(t, s.DB, "before", "a"), storetest.Waiting(t, s.DB, "before")
		v := held{Store: s}
		must(t, v.redeem(t, a, "first"))
		want(t, v.redeem(t, a, "second"), store.ErrSpent)
		must(t, s.PollDevice(ctx, d.Hash, t0))
		want(t, s.PollDevice(ctx, d.Hash, t0), store.ErrTooSoon)
		must(t, s.AllowDevice(ctx, d.Hash, storetest.DeviceGrant("1"), ""))
		must(t, v.redeemDevice(t, d, "of the device"))
		no := storetest.Waiting(t, s.DB, "no")
		must(t, s.DenyDevice(ctx, no.Hash, t0))
		want(t, s.DenyDevice(ctx, no.Hash, t0), store.ErrSpent)
	})
}

// A question whose answer is "not yet" asks Redis alone what comes too soon.
func TestPollsSpareTheDatabase(t *testing.T) {
	s := onFile(t).open(t)
	d := storetest.Waiting(t, s, "1")
	must(t, s.DB.Close())
	must(t, s.PollDevice(context.Background(), d.Hash, t0))
	want(t, s.PollDevice(context.Background(), d.Hash, t0), store.ErrTooSoon)
}

// While Redis is away nothing is decided of what waits there, and everything of
// what was decided stands.
func TestDecidedWhileRedisIsAway(t *testing.T) {
	p := onFile(t)
	v, ctx := hold(t, p.open(t)), t.Context()
	v.decide(t)
	p.server.Stop(t)
	away := storetest.Approval("away", "a")
	for what, err := range map[string]error{
		"code": v.redeem(t, v.waits, "x"), "approval": v.Approve(ctx, away),
		"answer": v.AllowDevice(ctx, v.asks.Hash, storetest.DeviceGrant("2"), ""), "question": v.PollDevice(ctx, v.asks.Hash, t0),
		"new device": v.AddDeviceRequest(ctx, v.asks),
	} {
		if !store.Unavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := v.Grant(ctx, away.Grant.ID)
	want(t, err, store.ErrNotFound)
	must(t, v.Spend(ctx, away.Request, t0)) // not spent by the failure
	want(t, v.redeem(t, v.used, "second"), store.ErrSpent)
	must(t, v.redeemDevice(t, v.allowed, "of the device"))
}

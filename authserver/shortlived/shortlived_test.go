package shortlived

import (
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

func TestKept(t *testing.T) {
	p := onFile(t)
	s, ctx := p.open(t), t.Context()
	one, two := s.name("thing", "one"), s.name("thing", "two")
	var got string
	want(t, s.get(ctx, one, &got), store.ErrNotFound)
	must(t, s.put(ctx, one, "first", t0.Add(time.Minute)))
	must(t, s.put(ctx, one, "second", t0.Add(time.Minute)))
	want(t, s.putNew(ctx, one, "third", t0.Add(time.Minute)), store.ErrExists)
	must(t, s.putNew(ctx, two, "other", t0.Add(-time.Hour)))
	for name, value := range map[string]string{one: "second", two: "other"} {
		if err := s.get(ctx, name, &got); err != nil || got != value {
			t.Errorf("%q, %v, want %q", got, err, value)
		}
	}
	for name, most := range map[string]time.Duration{one: 2 * time.Minute, two: time.Minute} {
		if life := p.client.PTTL(ctx, name).Val(); life <= 0 || life > most {
			t.Errorf("kept for %v, want up to %v", life, most)
		}
	}
	must(t, s.redis.delete(ctx, one))
	want(t, s.get(ctx, one, &got), store.ErrNotFound)
}

// A value says nothing to whoever reads Redis, and opens under its own name only.
func TestSealed(t *testing.T) {
	p := onFile(t)
	s, ctx := p.open(t), t.Context()
	mine, other := s.name("thing", "mine"), s.name("thing", "other")
	must(t, s.put(ctx, mine, "a sentence", t0))
	kept := p.client.Get(ctx, mine).Val()
	if strings.Contains(kept, "sentence") || strings.Contains(mine, "mine") {
		t.Errorf("%s holds %q", mine, kept)
	}
	for what, forged := range map[string]string{"moved": kept, "plain": `"a sentence"`, "nothing": "", "cut": kept[:len(kept)-1]} {
		must(t, p.client.Set(ctx, other, forged, 0).Err())
		var got string
		if want(t, s.get(ctx, other, &got), store.ErrNotFound); got != "" {
			t.Errorf("%s: read %q", what, got)
		}
	}
}

// What an earlier secret sealed opens, and what it named is found.
func TestSecretIsReplaced(t *testing.T) {
	p := onFile(t)
	ctx := t.Context()
	before, beside, after := p.openWith(t, keysOf(t, "old")), p.openWith(t, keysOf(t, "new", "old")), p.openWith(t, keysOf(t, "new"))
	name := before.name("thing", "one")
	must(t, before.put(ctx, name, "first", t0))
	var got string
	if err := beside.get(ctx, name, &got); err != nil || got != "first" {
		t.Errorf("%q, %v", got, err)
	}
	want(t, after.get(ctx, name, &got), store.ErrNotFound)
	names := beside.names("thing", "one")
	if now, then := after.names("thing", "one"), before.names("thing", "one"); !slices.Equal(names, append(now, then...)) || now[0] == then[0] {
		t.Errorf("named %q, by the new secret %q, by the old one %q", names, now, then)
	}
}

func TestRedisAway(t *testing.T) {
	p := onFile(t)
	s, ctx := p.open(t), t.Context()
	must(t, s.Ping(ctx))
	p.server.Stop(t)
	var got string
	for what, err := range map[string]error{
		"put": s.put(ctx, "x", "y", t0), "put anew": s.putNew(ctx, "x", "y", t0), "get": s.get(ctx, "x", &got),
		"delete": s.redis.delete(ctx, "x"), "ping": s.Ping(ctx),
	} {
		if !store.Unavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p.server.Restart(t)
	must(t, s.Ping(ctx))
	must(t, s.DB.Close())
	if s.Ping(ctx) == nil {
		t.Error("a store without its database answers")
	}
}

// overridden are the methods of the database that this package does itself,
// wholly or around the database's.
var overridden = strings.Fields(`
	AddDeviceRequest AddPasskey Admit AllowDevice AllSessions Approve ChangePassword Code DenyDevice DeviceRequest
	DeviceRequestOf EndOthers EndSession EndSessions Ping PollDevice Redeem SeeSession Session Sessions
	SetGenerator StartSession
`)

// ending are those that end every session of a person with the era, or with the
// person, wherever sessions are.
var ending = strings.Fields(`
	ChangePerson DeletePerson DeleteUser RemoveFactors ResetPassword
`)

// apart are those that neither read nor write codes, devices that wait, or
// sessions, but those that are used, answered or ended; the database deletes what
// hangs on what they delete.
var apart = strings.Fields(`
	AccessToken AddClient AddPerson AddReset AddSigningKey AddStored AddTicket AddUser AdmitElsewhere
	AllowNewDevice AllStanding ApproveWithoutCode Browsers ChangeClient Client ClientRoles Clients ClientsWith
	Close Consent ConsentsOf Created DeleteClient DenyNewDevice Depart DropSigningKey Extend Forget ForgetBrowsers
	Generator GiveRoles Grant GrantsOf HastenSigningKey Identities Identity Issue KeepGiven KnownContexts Link
	ListEnded MarkCloned Observe Passkeys People Person Places RecordEnded RecordSignIn RecoveryCodes RedeemDevice
	RedeemNewCode Refresh RememberBrowser RemoveGenerator RemovePasskey RemoveTicket RenamePasskey ReplaceClient
	ReplaceSigningKey Reseal Return Revocations RevokedPlaces RevokeGrant RevokeToken RolesOf Rotate Sealed
	SeeSignIns SetRecoveryCodes SetRoles SharedNames SigningKeys SignInHistory SignInRows SignUp Spend Standing
	StartClient StartElsewhere StoredClient StoredClients Sweep SweepSignIns TakeStep Ticket Tickets TokensOf
	Unlink UnseenSignIns UsePasskey User UserByAddress UserByID UseRecoveryCode UserName Users UsersWith
`)

// Every method of the database stands in one list: a new one has to be thought
// of here, because embedding would let it through.
func TestEveryMethodIsThoughtOf(t *testing.T) {
	all, ours := reflect.TypeFor[*store.DB](), reflect.TypeFor[*Store]()
	known := map[string]int{}
	for _, name := range slices.Concat(overridden, ending, apart) {
		known[name]++
	}
	for m := range all.Methods() {
		if known[m.Name] != 1 {
			t.Errorf("%s stands in %d lists", m.Name, known[m.Name])
		}
		delete(known, m.Name)
	}
	if len(known) > 0 {
		t.Errorf("the database has none of %v", slices.Collect(maps.Keys(known)))
	}
	for _, name := range ending {
		if _, tried := storetest.Ends[name]; !tried {
			t.Errorf("no test looks at whether sessions end by %s", name)
		}
	}
	for m := range ours.Methods() {
		file, _ := runtime.FuncForPC(m.Func.Pointer()).FileLine(m.Func.Pointer())
		if here := file != "<autogenerated>"; here != slices.Contains(overridden, m.Name) {
			t.Errorf("%s is of %s", m.Name, file)
		}
	}
}

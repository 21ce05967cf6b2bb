package passkey

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/passkey/passkeytest"
)

const issuer = "https://auth.example/tenant"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newParty(t *testing.T) *Party {
	t.Helper()
	p, err := New(issuer, "Postern")
	must(t, err)
	return p
}

// enrolled is a device with a new passkey, and its person.
func enrolled(t *testing.T, p *Party, counter uint32, flags byte) (*passkeytest.Device, Person) {
	t.Helper()
	who := Person{ID: "user_ada", Name: "ada"}
	d := passkeytest.New("https://auth.example")
	d.Counter, d.Flags = counter, flags
	ask, err := p.Enrol(who)
	must(t, err)
	key, err := p.Enrolled(who, ask.State, d.Create(ask.Options))
	must(t, err)
	who.Keys = []Key{key}
	return d, who
}

func finder(who Person) func(string) (Person, error) {
	return func(id string) (Person, error) {
		if id != who.ID {
			return Person{}, errNobody
		}
		return who, nil
	}
}

var errNobody = errors.New("nobody of that name")

const usual = passkeytest.Present | passkeytest.Verified

func TestSignIn(t *testing.T) {
	p := newParty(t)
	for name, row := range map[string]struct {
		flags    byte
		counter  uint32
		verified bool
		synced   bool
	}{
		"counts":       {usual, 7, true, false},
		"synchronized": {usual | passkeytest.Syncable, 0, true, true},
		"only touched": {passkeytest.Present, 7, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, who := enrolled(t, p, row.counter, row.flags)
			for range 3 {
				ask, err := p.Ask(who)
				must(t, err)
				proof, err := p.Answered(ask.State, d.Get(ask.Options), finder(who))
				must(t, err)
				if proof.UserID != who.ID || proof.Verified != row.verified || proof.Key.Synced != row.synced || row.counter > 0 && proof.Key.Counter <= who.Keys[0].Counter {
					t.Errorf("got %+v", proof)
				}
				who.Keys = []Key{proof.Key}
			}
		})
	}
}

func TestSignInAsWhoeverItIs(t *testing.T) {
	p := newParty(t)
	d, who := enrolled(t, p, 1, usual)
	ask, err := p.AskAnyone()
	must(t, err)
	if !strings.Contains(string(ask.Options), `"userVerification":"required"`) || strings.Contains(string(ask.Options), "allowCredentials") {
		t.Errorf("asks %s", ask.Options)
	}
	proof, err := p.Answered(ask.State, d.Get(ask.Options), finder(who))
	must(t, err)
	if proof.UserID != who.ID || !proof.Verified {
		t.Errorf("got %+v", proof)
	}
	d.Flags = passkeytest.Present
	if _, err := p.Answered(ask.State, d.Get(ask.Options), finder(who)); !errors.Is(err, ErrAnswer) {
		t.Errorf("without its person: %v", err)
	}
	d.Flags = usual
	if _, err := p.Answered(ask.State, d.Get(ask.Options), finder(Person{ID: "user_bob"})); !errors.Is(err, errNobody) {
		t.Errorf("unknown person: %v", err)
	}
}

func TestAnswersThatProveNothing(t *testing.T) {
	p := newParty(t)
	d, who := enrolled(t, p, 1, usual)
	other, _ := enrolled(t, p, 1, usual)
	ask, err := p.Ask(who)
	must(t, err)
	another, err := p.Ask(who)
	must(t, err)
	good := d.Get(ask.Options)
	elsewhere := d.Copy()
	elsewhere.Origin = "https://auth.example.evil.example"
	absent := d.Copy()
	absent.Flags = 0
	for name, answer := range map[string][]byte{
		"empty": nil, "no JSON": []byte("{"), "null": []byte("null"), "too long": []byte(`"` + strings.Repeat("x", maxAnswer) + `"`),
		"to another question": d.Get(another.Options), "of another site's page": elsewhere.Get(ask.Options),
		"of another passkey": other.Get(ask.Options), "nobody was there": absent.Get(ask.Options),
		"another signature": spoil(good),
		"a registration":    d.Copy().Create([]byte(`{"challenge":"x","rp":{"id":"auth.example"},"user":{"id":"eA"}}`)),
	} {
		proof, err := p.Answered(ask.State, answer, finder(who))
		if !errors.Is(err, ErrAnswer) || proof.UserID != "" {
			t.Errorf("%s: got %+v, %v", name, proof, err)
		}
	}
	if _, err := p.Answered(ask.State, good, finder(who)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// spoil changes a character of the signature.
func spoil(answer []byte) []byte {
	const member = `"signature":"`
	at := strings.Index(string(answer), member) + len(member) + 20
	spoiled := bytes.Clone(answer)
	if spoiled[at] = 'A'; answer[at] == 'A' {
		spoiled[at] = 'B'
	}
	return spoiled
}

func TestCopiesAreNoticed(t *testing.T) {
	p := newParty(t)
	d, who := enrolled(t, p, 5, usual)
	thief := d.Copy()
	ask, err := p.Ask(who)
	must(t, err)
	proof, err := p.Answered(ask.State, d.Get(ask.Options), finder(who))
	must(t, err)
	who.Keys = []Key{proof.Key}
	proof, err = p.Answered(ask.State, thief.Get(ask.Options), finder(who))
	if !errors.Is(err, ErrCloned) || proof.Verified || string(proof.Key.ID) != string(who.Keys[0].ID) || proof.UserID != who.ID {
		t.Errorf("got %+v, %v", proof, err)
	}
	silent := d.Copy()
	silent.Counter = 0
	if _, err := p.Answered(ask.State, silent.Get(ask.Options), finder(who)); !errors.Is(err, ErrCloned) {
		t.Errorf("one that stopped counting: %v", err)
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	p := newParty(t)
	who := Person{ID: "user_ada", Name: "ada"}
	ask, err := p.Enrol(who)
	must(t, err)
	another, err := p.Enrol(who)
	must(t, err)
	for name, edit := range map[string]func(d *passkeytest.Device) []byte{
		"of another site's page": func(d *passkeytest.Device) []byte {
			d.Origin = "http://auth.example"
			return d.Create(ask.Options)
		},
		"to another question": func(d *passkeytest.Device) []byte { return d.Create(another.Options) },
		"for another site": func(d *passkeytest.Device) []byte {
			return d.Create([]byte(strings.ReplaceAll(string(ask.Options), `"id":"auth.example"`, `"id":"example"`)))
		},
		"nobody was there": func(d *passkeytest.Device) []byte { d.Flags = 0; return d.Create(ask.Options) },
		"nothing":          func(*passkeytest.Device) []byte { return nil },
	} {
		if key, err := p.Enrolled(who, ask.State, edit(passkeytest.New("https://auth.example"))); !errors.Is(err, ErrAnswer) || key.ID != nil {
			t.Errorf("%s: got %+v, %v", name, key, err)
		}
	}
	if _, err := p.Enrolled(Person{ID: "user_bob"}, ask.State, passkeytest.New("https://auth.example").Create(ask.Options)); !errors.Is(err, ErrAnswer) {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestEnrolLeavesOutWhatIsThere(t *testing.T) {
	p := newParty(t)
	_, who := enrolled(t, p, 1, usual)
	ask, err := p.Enrol(who)
	must(t, err)
	for _, want := range []string{`"excludeCredentials":[{`, `"residentKey":"preferred"`, `"userVerification":"preferred"`, `"attestation":"none"`, `"id":"auth.example"`} {
		if !strings.Contains(string(ask.Options), want) {
			t.Errorf("no %s in %s", want, ask.Options)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	for issuer, want := range map[string]error{
		"https://auth.example": nil, "http://localhost:8090": nil, "https://auth.example:8443/tenant": nil,
		"http://127.0.0.1:8090": ErrNoDomain, "http://[::1]:8090": ErrNoDomain, "": ErrNoDomain,
	} {
		if _, err := New(issuer, "Postern"); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", issuer, err, want)
		}
	}
}

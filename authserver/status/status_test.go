package status

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

const address = "https://auth.example.com/status/0"

var now = time.Unix(1_800_000_000, 0)

func newKey(tb testing.TB) jose.PrivateKey {
	tb.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func reason(err error) Reason {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return Reason(fmt.Sprint(err))
}

// packed is the base64url of places in zlib, as any issuer may make it.
func packed(tb testing.TB, places []byte) string {
	tb.Helper()
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(places); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(out.Bytes())
}

// The examples of draft-ietf-oauth-status-list §4.1 and §4.2.
func TestExamplesOfTheDraft(t *testing.T) {
	key := newKey(t)
	for _, row := range []struct {
		bits  int
		list  string
		valid string // by index, from the draft's table: 0 is VALID
	}{
		{1, "eNrbuRgAAhcBXQ", "1001110111000101"},
		{2, "eNo76fITAAPfAgc", "120301011233"},
	} {
		payload := fmt.Sprintf(`{"sub":%q,"iat":1800000000,"exp":1800000060,"status_list":{"bits":%d,"lst":%q}}`, address, row.bits, row.list)
		published, err := Verify(now, sign(t, key, Type, payload), address, jose.NewKeySet(key.Public()))
		if err != nil {
			t.Fatal(err)
		}
		if size := published.List.Size(); size != uint64(len(row.valid)) {
			t.Fatalf("%d bits: %d places", row.bits, size)
		}
		for i, value := range row.valid {
			if not, err := published.List.Has(uint64(i)); err != nil || not != (value != '0') {
				t.Errorf("%d bits, index %d: %v, %v, want value %c", row.bits, i, not, err, value)
			}
		}
	}
}

// The draft's test vectors, each of a million places (Appendix C).
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/appendix_c.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Section  string   `json:"section"`
			Bits     int      `json:"bits"`
			List     string   `json:"lst"`
			Size     uint64   `json:"size"`
			NotValid []uint64 `json:"not_valid"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Vectors) != 3 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	key := newKey(t)
	for _, v := range file.Vectors {
		payload := fmt.Sprintf(`{"sub":%q,"iat":1800000000,"exp":1800000060,"status_list":{"bits":%d,"lst":%q}}`, address, v.Bits, v.List)
		published, err := Verify(now, sign(t, key, Type, payload), address, jose.NewKeySet(key.Public()))
		if err != nil || published.List.Size() != v.Size {
			t.Fatalf("%s: %d places, %v", v.Section, published.List.Size(), err)
		}
		var found []uint64
		for i := range v.Size {
			if not, err := published.List.Has(i); err != nil {
				t.Fatal(err)
			} else if not {
				found = append(found, i)
			}
		}
		if !slices.Equal(found, v.NotValid) {
			t.Errorf("%s: not valid %v, want %v", v.Section, found, v.NotValid)
		}
	}
}

func sign(tb testing.TB, key jose.PrivateKey, typ, payload string) string {
	tb.Helper()
	raw, err := key.Sign(typ, []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestEveryBitOfAValueCounts(t *testing.T) {
	for _, bits := range []uint64{1, 2, 4, 8} {
		for bit := range bits {
			list := List{bits: bits, places: make([]byte, 4)}
			index := list.Size() - 2
			list.places[index*bits/8] = 1 << (index*bits%8 + bit)
			for i := range list.Size() {
				if not, err := list.Has(i); err != nil || not != (i == index) {
					t.Errorf("%d bits, bit %d set at %d: index %d is %v, %v", bits, bit, index, i, not, err)
				}
			}
		}
	}
}

func TestOutsideIsNeverValid(t *testing.T) {
	list, err := NewList(9)
	if err != nil || list.Size() != 16 {
		t.Fatalf("%d places, %v", list.Size(), err)
	}
	for _, row := range []struct {
		list  List
		index uint64
	}{{list, 16}, {list, 1 << 63}, {list, 1<<64 - 1}, {List{}, 0}} {
		if _, err := row.list.Has(row.index); !errors.Is(err, ErrOutside) {
			t.Errorf("has %d: %v", row.index, err)
		}
		if err := row.list.Set(row.index); !errors.Is(err, ErrOutside) {
			t.Errorf("set %d: %v", row.index, err)
		}
	}
	for _, size := range []uint64{0, 8*maxBytes + 1, 1<<64 - 1} {
		if list, err := NewList(size); err == nil || list.Size() != 0 {
			t.Errorf("a list of %d places", size)
		}
	}
}

func TestVerify(t *testing.T) {
	key, other := newKey(t), newKey(t)
	list := packed(t, []byte{0xb9, 0xa3})
	claims := func(members string) string {
		return `{"sub":"` + address + `","iat":1799999999,"exp":1800000060,"ttl":2,` + members + `}`
	}
	good := claims(`"status_list":{"bits":1,"lst":"` + list + `"}`)
	with := func(from, to string) string {
		if strings.Count(good, from) != 1 {
			t.Fatalf("%q is not once in the payload", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	const ok = "<nil>"
	for _, row := range []struct {
		name, raw string
		want      Reason
	}{
		{"good", sign(t, key, Type, good), ok},
		{"media type in full, in capitals", sign(t, key, "Application/StatusList+JWT", good), ok},
		{"other members", sign(t, key, Type, with(`"bits":1`, `"bits":1,"aggregation_uri":"https://a.example"`)), ok},
		{"no ttl", sign(t, key, Type, with(`"ttl":2,`, ``)), ok},
		{"iat within the leeway", sign(t, key, Type, with(`1799999999`, `1800000030`)), ok},
		{"exp within the leeway", sign(t, key, Type, with(`1800000060`, `1799999971`)), ok},

		{"empty", "", Malformed},
		{"not a JWS", "a.b", Malformed},
		{"payload array", sign(t, key, Type, "["+good+"]"), Malformed},
		{"sub twice", sign(t, key, Type, with(`"ttl":2`, `"sub":"x"`)), Malformed},
		{"too large", sign(t, key, Type, with(`"ttl":2`, `"x":"`+strings.Repeat("x", maxLength)+`"`)), Malformed},
		{"ttl text", sign(t, key, Type, with(`"ttl":2`, `"ttl":"2"`)), Malformed},
		{"ttl zero", sign(t, key, Type, with(`"ttl":2`, `"ttl":0`)), Malformed},
		{"ttl negative", sign(t, key, Type, with(`"ttl":2`, `"ttl":-2`)), Malformed},
		{"ttl of centuries", sign(t, key, Type, with(`"ttl":2`, `"ttl":253402300799`)), Malformed},
		{"bits text", sign(t, key, Type, with(`"bits":1`, `"bits":"1"`)), Malformed},
		{"lst null", sign(t, key, Type, with(`"`+list+`"`, `null`)), Malformed},
		{"lst array", sign(t, key, Type, with(`"`+list+`"`, `[1]`)), Malformed},

		{"an access token", sign(t, key, "at+jwt", good), WrongType},
		{"JWT", sign(t, key, "JWT", good), WrongType},
		{"no typ", sign(t, key, "", good), WrongType},
		{"a status list in CBOR", sign(t, key, "statuslist+cwt", good), WrongType},
		{"key of a stranger", sign(t, other, Type, good), UnknownKey},
		{"payload of another", graft(sign(t, key, Type, good), sign(t, key, Type, with(`:1799999999`, `:1799999998`))), BadSignature},
		{"signed with an embedded key", embedded(t, other, good), BadSignature},
		{"another list", sign(t, key, Type, with(address, address+"0")), WrongSubject},
		{"address in capitals", sign(t, key, Type, with(address, strings.ToUpper(address))), WrongSubject},
		{"no sub", sign(t, key, Type, with(`"sub":"`+address+`",`, ``)), WrongSubject},

		{"no iat", sign(t, key, Type, with(`"iat":1799999999,`, ``)), MissingClaim},
		{"no exp", sign(t, key, Type, with(`"exp":1800000060,`, ``)), MissingClaim},
		{"no list", sign(t, key, Type, with(`status_list`, `status_lost`)), MissingClaim},
		{"list null", sign(t, key, Type, claims(`"status_list":null`)), MissingClaim},
		{"iat in the future", sign(t, key, Type, with(`1799999999`, `1800000031`)), InFuture},
		{"expired", sign(t, key, Type, with(`1800000060`, `1799999970`)), Expired},

		{"bits 0", sign(t, key, Type, with(`"bits":1`, `"bits":0`)), BadBits},
		{"bits 3", sign(t, key, Type, with(`"bits":1`, `"bits":3`)), BadBits},
		{"bits 16", sign(t, key, Type, with(`"bits":1`, `"bits":16`)), BadBits},
		{"no bits", sign(t, key, Type, with(`"bits":1,`, ``)), BadBits},
		{"no lst", sign(t, key, Type, with(`,"lst":"`+list+`"`, ``)), BadList},
		{"lst padded", sign(t, key, Type, with(list, list+"=")), BadList},
		{"lst with a line break", sign(t, key, Type, with(list, list[:4]+`\n`+list[4:])), BadList},
		{"lst in base64, not base64url", sign(t, key, Type, with(list, "eN+/AAA")), BadList},
		{"lst cut short", sign(t, key, Type, with(list, list[:8])), BadList},
		{"lst without its checksum", sign(t, key, Type, with(list, base64.RawURLEncoding.EncodeToString(raw(t, list, -4)))), BadList},
		{"lst with data after it", sign(t, key, Type, with(list, base64.RawURLEncoding.EncodeToString(append(raw(t, list, 0), 0)))), BadList},
		{"lst of deflate without zlib", sign(t, key, Type, with(list, base64.RawURLEncoding.EncodeToString(raw(t, list, -4)[2:]))), BadList},
		{"lst empty inside", sign(t, key, Type, with(list, packed(t, nil))), BadList},
		{"as many places as there may be", sign(t, key, Type, with(list, packed(t, make([]byte, maxBytes)))), ok},
		{"one more", sign(t, key, Type, with(list, packed(t, make([]byte, maxBytes+1)))), BadList},
		{"a bomb", sign(t, key, Type, with(list, packed(t, make([]byte, 16*maxBytes)))), BadList},
	} {
		published, err := Verify(now, row.raw, address, jose.NewKeySet(key.Public()))
		if reason(err) != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
		if err != nil && !reflect.ValueOf(published).IsZero() {
			t.Errorf("%s: a list beside an error", row.name)
		}
	}
	if _, err := Verify(now, sign(t, key, Type, with(address, "")), "", jose.NewKeySet(key.Public())); reason(err) != WrongSubject {
		t.Errorf("no address: %v", err)
	}
}

// graft puts the payload of one list between the header and signature of another.
func graft(list, from string) string {
	parts := strings.Split(list, ".")
	parts[1] = strings.Split(from, ".")[1]
	return strings.Join(parts, ".")
}

func embedded(t *testing.T, key jose.PrivateKey, payload string) string {
	t.Helper()
	list, err := key.SignWithKey(Type, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// raw is what lst packs, without its last bytes.
func raw(t *testing.T, lst string, less int) []byte {
	t.Helper()
	stream, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		t.Fatal(err)
	}
	return stream[:len(stream)+less]
}

func TestSignRefusals(t *testing.T) {
	key := newKey(t)
	list, err := NewList(8)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() (string, error){
		"no places":       func() (string, error) { return Sign(key, List{}, address, now, time.Second, time.Minute) },
		"no address":      func() (string, error) { return Sign(key, list, "", now, time.Second, time.Minute) },
		"not UTF-8":       func() (string, error) { return Sign(key, list, "\xff", now, time.Second, time.Minute) },
		"no ttl":          func() (string, error) { return Sign(key, list, address, now, 0, time.Minute) },
		"ttl beyond life": func() (string, error) { return Sign(key, list, address, now, time.Hour, time.Minute) },
		"no key":          func() (string, error) { return Sign(jose.PrivateKey{}, list, address, now, time.Second, time.Minute) },
	} {
		if list, err := make(); err == nil || list != "" {
			t.Errorf("%s: %q, %v", name, list, err)
		}
	}
}

// What is signed reads back as it was.
func FuzzSignThenVerify(f *testing.F) {
	key := newKey(f)
	f.Add(uint64(16), []byte{0, 3, 15}, address, int64(2), int64(60))
	f.Add(uint64(65536), []byte("\x00\xff"), "u", int64(1), int64(1))
	f.Fuzz(func(t *testing.T, size uint64, revoked []byte, uri string, ttl, life int64) {
		list, err := NewList(size % (1 << 17))
		if err != nil {
			return
		}
		for _, index := range revoked {
			if err := list.Set(uint64(index)); err != nil && uint64(index) < size%(1<<17) {
				t.Fatal(err)
			}
		}
		ttl, life = ttl%1000, life%100_000
		raw, err := Sign(key, list, uri, now, time.Duration(ttl)*time.Second, time.Duration(life)*time.Second)
		if err != nil {
			return
		}
		got, err := Verify(now, raw, uri, jose.NewKeySet(key.Public()))
		want := Published{list, now, now.Add(time.Duration(life) * time.Second), time.Duration(ttl) * time.Second}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v became %+v, %v", want, got, err)
		}
	})
}

// No payload, even signed by the issuer, panics or comes back beside an error.
func FuzzVerify(f *testing.F) {
	key := newKey(f)
	f.Add(`{"sub":"`+address+`","iat":1800000000,"exp":1800000060,"ttl":2,"status_list":{"bits":2,"lst":"eNo76fITAAPfAgc"}}`, uint64(3))
	f.Add(`{"sub":"`+address+`","iat":1,"exp":1800000060,"status_list":{"bits":8,"lst":""}}`, uint64(0))
	f.Fuzz(func(t *testing.T, payload string, index uint64) {
		raw, err := key.Sign(Type, []byte(payload))
		if err != nil {
			return
		}
		got, err := Verify(now, raw, address, jose.NewKeySet(key.Public()))
		if err != nil && (reason(err) == "" || !reflect.ValueOf(got).IsZero()) {
			t.Fatalf("%+v beside %v", got, err)
		}
		if _, outside := got.List.Has(index); (outside == nil) != (index < got.List.Size()) {
			t.Fatalf("index %d of %d: %v", index, got.List.Size(), outside)
		}
	})
}

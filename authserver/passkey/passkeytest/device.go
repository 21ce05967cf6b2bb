// Package passkeytest is a device with passkeys, for tests: it does what a
// browser with an authenticator does (WebAuthn §6.3), and can be told to do it
// wrong.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/fxamacker/cbor/v2"
)

// The flags of authenticator data (WebAuthn §6.1).
const (
	Present  byte = 1 << 0
	Verified byte = 1 << 2
	Syncable byte = 1 << 3
	attested byte = 1 << 6
)

// Device holds one passkey.
type Device struct {
	Origin  string // of the page it believes to be at
	Flags   byte
	Counter uint32 // what the next answer says; 0 stays

	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	party  string
}

// New is a device whose owner is made sure of.
func New(origin string) *Device {
	return &Device{Origin: origin, Flags: Present | Verified}
}

// Copy is another device with the same passkey.
func (d *Device) Copy() *Device {
	c := *d
	return &c
}

type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
}

// Create answers navigator.credentials.create with a new passkey.
func (d *Device) Create(opts []byte) []byte {
	var o options
	must(json.Unmarshal(opts, &o))
	d.party, d.handle = o.RP.ID, decode(o.User.ID)
	d.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.id = make([]byte, 16)
	_, _ = rand.Read(d.id)
	data := d.data(d.Flags | attested)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(d.id)))
	data = append(append(data, d.id...), d.publicKey()...)
	object := encodeCBOR(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	return d.answer(map[string]any{"clientDataJSON": encode(d.clientData("webauthn.create", o.Challenge)), "attestationObject": encode(object)})
}

// Get answers navigator.credentials.get.
func (d *Device) Get(opts []byte) []byte {
	var o options
	must(json.Unmarshal(opts, &o))
	client := d.clientData("webauthn.get", o.Challenge)
	data := d.data(d.Flags)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	must(err)
	return d.answer(map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": encode(d.handle),
	})
}

func (d *Device) answer(response map[string]any) []byte {
	doc, err := json.Marshal(map[string]any{"id": encode(d.id), "rawId": encode(d.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	must(err)
	return doc
}

func (d *Device) clientData(kind, challenge string) []byte {
	doc, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": d.Origin, "crossOrigin": false})
	must(err)
	return doc
}

func (d *Device) data(flags byte) []byte {
	party := sha256.Sum256([]byte(d.party))
	data := binary.BigEndian.AppendUint32(append(party[:], flags), d.Counter)
	if d.Counter > 0 {
		d.Counter++
	}
	return data
}

// publicKey: RFC 9053 §7.1, ES256.
func (d *Device) publicKey() []byte {
	point, err := d.key.PublicKey.Bytes()
	must(err)
	return encodeCBOR(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
}

func encodeCBOR(v any) []byte {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	must(err)
	doc, err := mode.Marshal(v)
	must(err)
	return doc
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

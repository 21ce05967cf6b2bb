// Package status makes and reads Token Status Lists
// (draft-ietf-oauth-status-list-18), side by side: one bit or a few for each
// token an issuer gave out, compressed and signed. It is pure: keys and the
// time are arguments, nothing is fetched.
//
// Its laws: a token is valid only where a verified list has a zero for it; an
// index outside the list is an error, never a zero; a list is bounded before
// and while it is unpacked; an error comes with a zero value.
package status

import (
	"errors"
	"fmt"
	"time"
)

// Type is the typ of a signed list, and after "application/" its media type.
const Type = "statuslist+jwt"

// maxBytes bounds an unpacked list: eight million tokens at one bit each.
const maxBytes = 1 << 20

// Reason is why a list was refused: a closed set, safe for metrics and audit.
type Reason string

const (
	Malformed    Reason = "status_list_malformed"
	WrongType    Reason = "status_list_type"
	UnknownKey   Reason = "status_list_unknown_key"
	BadSignature Reason = "status_list_signature"
	WrongSubject Reason = "status_list_subject" // it is the list of another address
	MissingClaim Reason = "status_list_missing_claim"
	Expired      Reason = "status_list_expired"
	InFuture     Reason = "status_list_in_future"
	BadBits      Reason = "status_list_bits" // bits is not 1, 2, 4 or 8
	BadList      Reason = "status_list_packing"
)

// Error is a refusal. Cause is for the log only.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Cause: fmt.Errorf(format, args...)}
}

// ErrOutside says that a list has no place for an index.
var ErrOutside = errors.New("index outside the status list")

// List says of each token, by index, whether it was revoked (or suspended, or
// whatever else is not valid). The zero value has no places. Copies share
// their places.
type List struct {
	bits   uint64 // of one place: 1, 2, 4 or 8, so that none crosses a byte
	places []byte
}

// NewList has size places of one bit, all valid, rounded up to whole bytes;
// at most 8,388,608.
func NewList(size uint64) (List, error) {
	if size == 0 || size > 8*maxBytes {
		return List{}, fmt.Errorf("a status list of %d places", size)
	}
	return List{bits: 1, places: make([]byte, (size+7)/8)}, nil
}

// Size is the number of places.
func (l List) Size() uint64 {
	if l.bits == 0 {
		return 0
	}
	return uint64(len(l.places)) * 8 / l.bits
}

// Set says that the token of this index is not valid. The error is ErrOutside.
func (l List) Set(index uint64) error {
	if index >= l.Size() {
		return ErrOutside
	}
	l.places[index*l.bits/8] |= 1 << (index * l.bits % 8)
	return nil
}

// Has says whether the token of this index is anything but valid. The error is
// ErrOutside: then nothing is known of the token.
func (l List) Has(index uint64) (bool, error) {
	if index >= l.Size() {
		return false, ErrOutside
	}
	// §4.1: from the least significant bit of each byte to the most significant
	place := l.places[index*l.bits/8] >> (index * l.bits % 8)
	// §7.1: 0x00 is VALID, whatever else the value may mean
	return place&(1<<l.bits-1) != 0, nil
}

// Published is a verified list with its times.
type Published struct {
	List     List
	IssuedAt time.Time
	Expiry   time.Time
	TTL      time.Duration // until a newer one should be asked for; 0 when the issuer names none
}

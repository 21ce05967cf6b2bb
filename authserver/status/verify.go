package status

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	maxLength = 2 << 20 // of a signed list, in bytes: what maxBytes that do not compress come to
	leeway    = 30 * time.Second
	maxTTL    = 366 * 24 * time.Hour
)

// small is a JSON integer of at most three digits.
type small uint64

// UnmarshalJSON takes digits only.
func (n *small) UnmarshalJSON(b []byte) error {
	if len(b) > 3 || strings.Trim(string(b), "0123456789") != "" {
		return errors.New("not a small whole number")
	}
	parsed, err := strconv.ParseUint(string(b), 10, 64)
	*n = small(parsed)
	return err
}

// seconds is a JSON number of whole seconds, at least one.
type seconds int64

// UnmarshalJSON takes digits only.
func (s *seconds) UnmarshalJSON(b []byte) error {
	parsed, err := jose.ParseSeconds(string(b))
	if err != nil {
		return err
	}
	// §5.1: a positive number
	if parsed == 0 {
		return errors.New("ttl of nothing")
	}
	*s = seconds(parsed)
	return nil
}

// Verify reads the list that was fetched from uri. It checks in this order:
// type, signature, subject, times (with 30 s of leeway), bits, packing (§8.3).
// exp is required here, though §5.1 leaves it out: without it, last year's
// list is as good as today's. Any error is an *Error.
func Verify(now time.Time, raw, uri string, keys jose.KeySet) (Published, error) {
	jws, err := jose.Parse(raw, maxLength)
	if err != nil {
		return Published{}, &Error{Malformed, err}
	}
	var wire wireClaims
	if err := jws.Claims(&wire); err != nil {
		return Published{}, &Error{Malformed, err}
	}
	// §5.1: typ statuslist+jwt; media types are compared without case (RFC 7515 §4.1.9)
	if !strings.EqualFold(jws.Type, Type) && !strings.EqualFold(jws.Type, "application/"+Type) {
		return Published{}, refuse(WrongType, "typ %q", jws.Type)
	}
	if err := checkSignature(jws, keys); err != nil {
		return Published{}, err
	}
	// §8.3: sub is the uri of the token's status claim
	if uri == "" || string(wire.Subject) != uri {
		return Published{}, refuse(WrongSubject, "sub %q", wire.Subject)
	}
	if err := wire.checkTimes(now); err != nil {
		return Published{}, err
	}
	list, err := wire.List.read()
	if err != nil {
		return Published{}, err
	}
	return Published{list, wire.IssuedAt.Time, wire.Expiry.Time, time.Duration(wire.TTL) * time.Second}, nil
}

func checkSignature(jws jose.Unverified, keys jose.KeySet) error {
	err := jws.VerifyIn(keys)
	if errors.Is(err, jose.ErrUnknownKey) {
		return &Error{UnknownKey, err}
	}
	if err != nil {
		return &Error{BadSignature, err}
	}
	return nil
}

func (w *wireClaims) checkTimes(now time.Time) error {
	if w.IssuedAt.IsZero() {
		return refuse(MissingClaim, "iat")
	}
	if w.IssuedAt.After(now.Add(leeway)) {
		return refuse(InFuture, "iat %v", w.IssuedAt)
	}
	if w.Expiry.IsZero() {
		return refuse(MissingClaim, "exp")
	}
	// RFC 7519 §4.1.4: not on or after exp
	if !now.Before(w.Expiry.Add(leeway)) {
		return refuse(Expired, "exp %v", w.Expiry)
	}
	if time.Duration(w.TTL) > maxTTL/time.Second {
		return refuse(Malformed, "ttl of %d s", w.TTL)
	}
	return nil
}

func (w *wireList) read() (List, error) {
	if w == nil {
		return List{}, refuse(MissingClaim, "status_list")
	}
	// §4.2: the allowed values are 1, 2, 4 and 8
	if w.Bits != 1 && w.Bits != 2 && w.Bits != 4 && w.Bits != 8 {
		return List{}, refuse(BadBits, "bits %d", w.Bits)
	}
	places, err := unpack(string(w.Packed))
	if err != nil {
		return List{}, &Error{BadList, err}
	}
	return List{bits: uint64(w.Bits), places: places}, nil
}

// unpack reads at most maxBytes out of one zlib stream, with nothing behind it.
func unpack(packed string) ([]byte, error) {
	// The standard decoder skips line breaks even when strict.
	if strings.ContainsAny(packed, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	stream, err := base64.RawURLEncoding.Strict().DecodeString(packed)
	if err != nil {
		return nil, err
	}
	rest := bytes.NewReader(stream)
	z, err := zlib.NewReader(rest)
	if err != nil {
		return nil, err
	}
	places, err := io.ReadAll(io.LimitReader(z, maxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(places) > maxBytes:
		return nil, errors.New("unpacks to more than a megabyte")
	case len(places) == 0:
		return nil, errors.New("no places")
	case rest.Len() > 0:
		return nil, errors.New("data after the list")
	}
	return places, nil
}

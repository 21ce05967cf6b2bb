// Package otp makes and checks one-time codes: those of a generator on a phone
// (TOTP, RFC 6238: SHA-1, six digits, thirty seconds, which is all that every
// app knows), and recovery codes on paper.
//
// A check says which step a code belongs to. That a code opens something once is
// the caller's to keep: by taking a step only when it is later than the last.
package otp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	period      = 30 // seconds
	skew        = 1  // steps before and after that are good, for clocks and slow typing
	digits      = 6
	secretBytes = 20 // RFC 4226 §4 R6
)

// Why a code is not taken.
var (
	ErrWrong = errors.New("not the code of this moment")
	ErrUsed  = errors.New("this code was used before")
)

// Generator is the secret that a phone and this server share.
type Generator struct{ secret []byte }

// NewGenerator makes one.
func NewGenerator() Generator {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails: crypto/rand
	return Generator{secret}
}

// Open is the generator whose Secret was kept.
func Open(secret []byte) (Generator, error) {
	if len(secret) != secretBytes {
		return Generator{}, errors.New("a kept secret of a code generator is not whole")
	}
	return Generator{secret}, nil
}

// Secret is what to keep, sealed.
func (g Generator) Secret() []byte { return g.secret }

func (g Generator) text() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(g.secret)
}

// Key is the secret to type into an app: base32 in groups of four.
func (g Generator) Key() string {
	var groups []string
	for text := g.text(); text != ""; {
		n := min(4, len(text))
		groups, text = append(groups, text[:n]), text[n:]
	}
	return strings.Join(groups, " ")
}

// URI is what apps read out of a QR code. It holds the secret.
func (g Generator) URI(issuer, account string) string {
	label := url.PathEscape(noColon(issuer)) + ":" + url.PathEscape(noColon(account))
	// %20, because apps show a + as it is.
	query := url.Values{"secret": {g.text()}, "issuer": {noColon(issuer)}, "algorithm": {"SHA1"},
		"digits": {strconv.Itoa(digits)}, "period": {strconv.Itoa(period)}}.Encode()
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(query, "+", "%20")
}

// noColon: a colon divides the issuer from the account.
func noColon(s string) string { return strings.ReplaceAll(s, ":", " ") }

// Code is what the generator shows at a moment.
func (g Generator) Code(at time.Time) string { return g.code(at.Unix() / period) }

func (g Generator) code(step int64) string {
	c, err := hotp.GenerateCodeCustom(g.text(), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "" // unreachable: the secret is base32
	}
	return c
}

// Match finds the step of a code around now that is later than the last one
// taken: ErrUsed when the code is of a step that is not, ErrWrong when it is of
// none. Spaces in the code do not count.
func (g Generator) Match(code string, now time.Time, last int64) (step int64, err error) {
	code = strings.Join(strings.Fields(code), "")
	if len(code) != digits {
		return 0, ErrWrong
	}
	at, err := now.Unix()/period, ErrWrong
	for s := at + skew; s >= at-skew; s-- {
		if subtle.ConstantTimeCompare([]byte(g.code(s)), []byte(code)) != 1 {
			continue
		}
		if s > last {
			return s, nil
		}
		err = ErrUsed
	}
	return 0, err
}

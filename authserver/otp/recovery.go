package otp

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
)

const (
	// HowMany recovery codes are made at a time.
	HowMany = 10

	letters = "23456789abcdefghjkmnpqrstuvwxyz" // none is taken for another
	group   = 4
	groups  = 3
)

// NewRecoveryCodes are codes of 59 bits each, such as k3px-7mwq-d9rt.
func NewRecoveryCodes() []string {
	codes := make([]string, HowMany)
	for i := range codes {
		var parts []string
		for range groups {
			parts = append(parts, random(group))
		}
		codes[i] = strings.Join(parts, "-")
	}
	return codes
}

func random(n int) string {
	s := make([]byte, n)
	for i := range s {
		at, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails: crypto/rand
		s[i] = letters[at.Int64()]
	}
	return string(s)
}

// IsRecovery says whether somebody typed a recovery code, and no code of an app.
func IsRecovery(code string) bool {
	plain := bare(code)
	return len(plain) == group*groups && strings.Trim(plain, letters) == ""
}

// bare is a code without what does not count: capitals, spaces and dashes.
func bare(code string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code))
}

// Recovery is what to keep of a code: a hash that is worth nothing for another
// account. ok is false when it has not the form of one.
func Recovery(account, code string) (hash [32]byte, ok bool) {
	if !IsRecovery(code) {
		return hash, false
	}
	return sha256.Sum256([]byte("recovery\x00" + account + "\x00" + bare(code))), true
}

package authserver

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/queue"
	"github.com/postern-mcp/postern/authserver/strength"
)

const (
	maxPassword = strength.Max
	maxUsername = 100

	argonMemory = 19 * 1024 // KiB; with two passes and one lane the OWASP minimum
	argonPasses = 2
	argonLanes  = 1
	argonBytes  = 32

	waitingHashes   = 32 // of strangers, and as many of those who are known
	hashesOfAccount = 2  // of strangers at one account: whoever has its password elsewhere fills no more
)

// passwords hashes with argon2id, as many at once as there are processors and
// a bounded number waiting, in turns: the memory an attacker can make it use is
// bounded, and so is how long they make others wait.
type passwords struct {
	turns *queue.Queue
	decoy string // hash of nothing anyone knows, for users that do not exist
}

func newPasswords() *passwords {
	most := queue.Bounds{AtOnce: max(2, runtime.NumCPU()), Waiting: waitingHashes, OfAccount: hashesOfAccount}
	return &passwords{turns: queue.New(most), decoy: encodeHash(randomBytes(16), randomBytes(argonBytes))}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return b
}

func (p *passwords) hash(ctx context.Context, by queue.Caller, password string) (string, error) {
	leave, err := p.turns.Enter(ctx, by)
	if err != nil {
		return "", refuseFor(Busy, err)
	}
	defer leave()
	salt := randomBytes(16)
	return encodeHash(salt, argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonBytes)), nil
}

// matches does the same work whether encoded is a person's hash or the decoy.
func (p *passwords) matches(ctx context.Context, by queue.Caller, encoded, password string) (bool, error) {
	salt, want, err := decodeHash(encoded)
	if err != nil {
		return false, err
	}
	leave, err := p.turns.Enter(ctx, by)
	if err != nil {
		return false, refuseFor(Busy, err)
	}
	defer leave()
	got := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonBytes)
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// newPassword is the hash of a password that somebody chose: a
// strength.Problem when it would be guessed soon. about is what others know of
// the person.
func (s *Server) newPassword(ctx context.Context, by queue.Caller, password string, about ...string) (hash string, err error) {
	if err := s.checkStrength(password, about...); err != nil {
		return "", err
	}
	return s.passwords.hash(ctx, by, password)
}

// checkStrength is nil or a strength.Problem. Whoever guesses knows the person,
// and the place: its addresses, and what it is.
func (s *Server) checkStrength(password string, about ...string) error {
	about = append(about, s.site.origin, "postern mcp oauth server proxy gateway")
	for _, r := range s.config.Resources {
		about = append(about, r.URL, r.Name)
	}
	return strength.Check(password, about...)
}

var phcPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonPasses, argonLanes)

func encodeHash(salt, key []byte) string {
	return phcPrefix + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(key)
}

func decodeHash(encoded string) (salt, key []byte, err error) {
	rest, ok := strings.CutPrefix(encoded, phcPrefix)
	first, second, two := strings.Cut(rest, "$")
	if !ok || !two {
		return nil, nil, errors.New("a stored password hash has other parameters than this program's")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(first)
	key, err2 := base64.RawStdEncoding.DecodeString(second)
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	if len(key) != argonBytes {
		return nil, nil, errors.New("a stored password hash is not whole")
	}
	return salt, key, nil
}

const (
	leastChosen = 3
	mostChosen  = 64
)

// checkChosenName is for names that people choose themselves: what looks like
// another name, or like somebody's address, is none. An administrator may give
// others.
func checkChosenName(name string) error {
	if len(name) < leastChosen || len(name) > mostChosen {
		return fmt.Errorf("a user name has %d to %d characters", leastChosen, mostChosen)
	}
	if name[0] < 'a' || name[0] > 'z' || strings.ContainsFunc(name, func(r rune) bool { return !isNameByte(r) }) {
		return errors.New("a user name has the letters a-z in lower case, digits, dots, hyphens and underscores, and begins with a letter")
	}
	return nil
}

func isNameByte(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-'
}

func checkUsername(name string) error {
	if name == "" || len(name) > maxUsername || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return fmt.Errorf("a user name has 1 to %d bytes and no space at its ends", maxUsername)
	}
	if !clientdoc.Plain(name) || strings.Contains(name, "  ") {
		return errors.New("a user name has visible characters only, and of spaces the common one, alone")
	}
	return nil
}

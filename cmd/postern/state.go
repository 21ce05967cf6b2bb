package main

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// state is the folder that `postern up` keeps its things in. One process at a
// time holds it.
type state struct {
	folder string
	lock   *os.File
}

// openState takes the folder, and fills in what a first start needs.
func openState(folder string) (*state, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "secrets"), 0o700); err != nil {
		return nil, usageError{fmt.Errorf("state folder: %w\nChoose another with --state DIR", err)}
	}
	s := &state{folder: folder}
	if err := s.take(); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *state) take() error {
	lock, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return usageError{fmt.Errorf("%s is in use by another postern up\nEnd that one, or choose another folder with --state DIR", s.folder)}
	}
	s.lock = lock
	return nil
}

func (s *state) prepare() error {
	if err := os.Remove(s.path("up.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{"proxy", "authserver", "upstream", "step_up"} {
		if err := s.makeSecret(name); err != nil {
			return err
		}
	}
	return copyExample(s.folder)
}

// makeSecret writes 256 random bits, as text, where no secret is.
func (s *state) makeSecret(name string) error {
	path := s.path("secrets", name)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(path, []byte(randomText(52)), 0o600)
}

func (s *state) path(names ...string) string {
	return filepath.Join(append([]string{s.folder}, names...)...)
}

// openLog opens a file of the state folder to append to.
func (s *state) openLog(name string) (*os.File, error) {
	return os.OpenFile(s.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// announce writes up.json: everything answers.
func (s *state) announce(sum summary) error {
	text, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(s.path("up.json"), append(text, '\n'), 0o600)
}

func (s *state) close() {
	_ = os.Remove(s.path("up.json")) // what it describes is gone
	_ = s.lock.Close()
}

// writeFile puts a file in place whole, or not at all.
func writeFile(path string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when the rename worked
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// randomText is n characters of base32, five random bits each.
func randomText(n int) string {
	raw := make([]byte, (n*5+7)/8)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))[:n]
}

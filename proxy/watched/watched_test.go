package watched

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stand is a value made of one file, with a clock that only the test moves.
type stand struct {
	*testing.T
	at    time.Time
	file  string
	value *Value[string]
	heard []string
}

func newStand(t *testing.T, first string) *stand {
	s := &stand{T: t, at: time.Unix(1, 0), file: filepath.Join(t.TempDir(), "file")}
	s.write(first)
	var err error
	s.value, err = New(func() time.Time { return s.at }, s.hear, func(contents [][]byte) (string, error) {
		if text := string(contents[0]); !strings.HasPrefix(text, "bad") {
			return text, nil
		}
		return "", errors.New("bad")
	}, s.file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) hear(err error) {
	if err != nil {
		s.heard = append(s.heard, "not taken")
	} else {
		s.heard = append(s.heard, "taken")
	}
}

// write renames over, so that the file is another one whatever its time.
func (s *stand) write(text string) {
	next := s.file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, s.file)); err != nil {
		s.Fatal(err)
	}
}

func (s *stand) is(want string, heard ...string) {
	s.Helper()
	s.at = s.at.Add(lookPause)
	if got := s.value.Get(); got != want || strings.Join(s.heard, ", ") != strings.Join(heard, ", ") {
		s.Errorf("value %q, told %q; want %q, %q", got, s.heard, want, heard)
	}
}

func TestChangesAreTaken(t *testing.T) {
	s := newStand(t, "one")
	s.is("one")
	s.write("two")
	if got := s.value.Get(); got != "one" {
		t.Errorf("%q: looked again within the pause", got)
	}
	s.is("two", "taken")
	s.is("two", "taken")
	s.write("three")
	if s.value.Look(); s.value.Get() != "three" {
		t.Error("a look takes a change at once")
	}
}

// What cannot be used leaves the old value and is told once, however often it
// is looked at.
func TestUnusableFilesLeaveTheOldValue(t *testing.T) {
	s := newStand(t, "good")
	s.write("bad")
	s.is("good", "not taken")
	s.is("good", "not taken")
	s.write("better")
	s.is("better", "not taken", "taken")
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	s.is("better", "not taken", "taken", "not taken")
	s.write(strings.Repeat("x", fileLimit+1))
	s.is("better", "not taken", "taken", "not taken", "not taken")
	s.write("best")
	s.is("best", "not taken", "taken", "not taken", "not taken", "taken")
}

func TestSwappedLinkIsAChange(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "data")
	for _, version := range []string{"v1", "v2"} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, version), 0o700), os.WriteFile(filepath.Join(dir, version, "file"), []byte(version), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("v1", link); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1, 0)
	v, err := New(func() time.Time { return at }, func(error) {}, func(c [][]byte) (string, error) { return string(c[0]), nil }, filepath.Join(link, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("v2", link+"2"), os.Rename(link+"2", link)); err != nil {
		t.Fatal(err)
	}
	if at = at.Add(lookPause); v.Get() != "v2" {
		t.Errorf("value %q", v.Get())
	}
}

func TestFirstReadMustBeGood(t *testing.T) {
	parse := func([][]byte) (string, error) { return "", errors.New("bad") }
	file := filepath.Join(t.TempDir(), "file")
	told := func(error) { t.Error("told of a value that never was") }
	if _, err := New(time.Now, told, parse, file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(time.Now, told, parse, file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("an unusable file: %v", err)
	}
	if _, err := New(time.Now, nil, parse, file); err == nil {
		t.Error("nobody to tell, and no error")
	}
}

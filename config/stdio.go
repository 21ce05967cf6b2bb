package config

import (
	"errors"
	"maps"
	"math"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Stdio is a program that speaks MCP on stdin and stdout, run as a child of
// the proxy.
type Stdio struct {
	Command  []string          `yaml:"command"`   // program and arguments; no shell
	Env      map[string]string `yaml:"env"`       // beside PATH, HOME and a few more of the proxy's own
	EnvFiles map[string]string `yaml:"env_files"` // variable → file with its value: secrets
	Folder   string            `yaml:"folder"`    // to run in; default that of the configuration
	Memory   Size              `yaml:"memory"`    // of its processes together; default 512MiB
	InFlight int               `yaml:"in_flight"` // requests at a time; default 64
}

// Size is a number of bytes, written as 512MiB: KiB, MiB or GiB.
type Size int64

var units = map[string]Size{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// UnmarshalText reads a whole number and a unit.
func (s *Size) UnmarshalText(text []byte) error {
	for unit, bytes := range units {
		digits, ok := strings.CutSuffix(string(text), unit)
		n, err := strconv.ParseInt(digits, 10, 64)
		if ok && err == nil && n > 0 && n <= math.MaxInt64/int64(bytes) && digits[0] >= '1' && digits[0] <= '9' {
			*s = Size(n) * bytes
			return nil
		}
	}
	return errors.New("must be a size like 512MiB: a whole number of KiB, MiB or GiB")
}

// SubjectInFlight is how many requests one subject may have at the server at a
// time: half of what a child takes, so that one caller alone cannot keep out
// all others. 0 is no bound but those of limits.
func (s Server) SubjectInFlight() int {
	if s.Stdio == nil {
		return 0
	}
	return s.Stdio.InFlight / 2
}

func (s *Stdio) complete(folder string) {
	if len(s.Command) > 0 && strings.Contains(s.Command[0], "/") {
		absolute(folder, &s.Command[0])
	}
	fill(&s.Folder, folder)
	absolute(folder, &s.Folder)
	for name, file := range s.EnvFiles {
		absolute(folder, &file)
		s.EnvFiles[name] = file
	}
	if s.Memory == 0 {
		s.Memory = 512 << 20
	}
	if s.InFlight == 0 {
		s.InFlight = 64
	}
}

func (s Stdio) validate(c *check, at func(...any) []any) {
	place := func(keys ...any) []any { return at(append([]any{"stdio"}, keys...)...) }
	if runtime.GOOS != "linux" {
		c.fail("child processes are run on Linux only", place()...)
	}
	s.validateCommand(c, place)
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		c.variable(name, place("env", name)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.EnvFiles)) {
		c.variable(name, place("env_files", name)...)
		if _, twice := s.Env[name]; twice {
			c.fail("stands in env too", place("env_files", name)...)
		}
		c.readable(s.EnvFiles[name], place("env_files", name)...)
	}
	c.readable(s.Folder, place("folder")...)
	if s.Memory < 1<<20 {
		c.fail("must be at least 1MiB", place("memory")...)
	}
	if s.InFlight < 1 || s.InFlight > 4096 {
		c.fail("must lie between 1 and 4096", place("in_flight")...)
	}
}

func (s Stdio) validateCommand(c *check, place func(...any) []any) {
	if len(s.Command) == 0 || s.Command[0] == "" {
		c.fail("missing: the program and its arguments, such as [npx, -y, some-server]", place("command")...)
		return
	}
	if _, err := exec.LookPath(s.Command[0]); err != nil {
		where := "in PATH"
		if filepath.IsAbs(s.Command[0]) {
			where = "there, or may not be run"
		}
		c.fail(s.Command[0]+" is not found "+where, place("command", 0)...)
	}
	for i, argument := range s.Command {
		if strings.Contains(argument, "\x00") {
			c.fail("holds a NUL character", place("command", i)...)
		}
	}
}

func (c *check) variable(name string, at ...any) {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		c.fail("is not the name of a variable", at...)
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/postern-mcp/postern/config"
)

const (
	usualConfig = "postern.yaml"
	usualState  = ".postern"
)

// place is a configuration, with the ports that it has while postern up runs it.
type place struct {
	program
	config string
	says   string // what the ports were taken from, when it is not the configuration alone
}

// place finds the configuration: of a state folder, or of a file.
func (o *office) place() (place, error) {
	if o.state != "" && (o.config != "" || o.url != "") {
		return place{}, usageError{errors.New("--state does not go with -c and --url: it names the configuration in that folder")}
	}
	at := place{program: o.program, config: o.config}
	if o.state != "" {
		at.config = filepath.Join(o.state, usualConfig)
	}
	if o.config == "" && o.state == "" {
		at.config = usualConfig
		if err := missing(); err != nil {
			return place{}, err
		}
	}
	path := filepath.Join(filepath.Dir(at.config), "up.json")
	running, err := readSummary(path)
	if errors.Is(err, fs.ErrNotExist) {
		if o.state != "" {
			at.says = "unless postern up is started in " + o.state + " with other ports"
		}
		return at, nil
	}
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", path, err)
	}
	at.lookup = running.ports(o.lookup)
	if _, said := o.lookup("POSTERN_ISSUER_PORT"); !said && portOf(running.Issuer) != fmt.Sprint(usualPorts.issuer) {
		at.says = "as " + path + " says"
	}
	return at, nil
}

// missing says what to do where there is no configuration to begin with.
func missing() error {
	if _, err := os.Stat(usualConfig); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	words := "there is no postern.yaml here: say -c FILE, --state DIR for what postern up runs, or --url ISSUER for a running server"
	if _, err := os.Stat(filepath.Join(usualState, usualConfig)); err == nil {
		words = "there is no postern.yaml here: say --state " + usualState + " for what postern up runs here, or -c FILE, or --url ISSUER"
	}
	return usageError{errors.New(words)}
}

func readSummary(path string) (sum summary, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return summary{}, err
	}
	return sum, json.Unmarshal(text, &sum)
}

// ports answers the port references of the example configuration as what runs
// does, where the environment has no answer.
func (s summary) ports(next config.Lookup) config.Lookup {
	own := map[string]string{
		"POSTERN_PROXY_PORT": portOf(s.Proxy), "POSTERN_ISSUER_PORT": portOf(s.Issuer), "POSTERN_ADMIN_PORT": portOf(s.Admin),
	}
	return func(name string) (string, bool) {
		if value, ok := next(name); ok {
			return value, true
		}
		return own[name], own[name] != ""
	}
}

// portOf is the port of a URL that has one, or "".
func portOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}

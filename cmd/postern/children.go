package main

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy/stdio"
)

// child prepares the child process of a server; run starts and ends it.
func (n *node) child(conf config.Server, lookup config.Lookup) (*stdio.Child, error) {
	own := maps.Clone(conf.Stdio.Env)
	if own == nil {
		own = map[string]string{}
	}
	for name, file := range conf.Stdio.EnvFiles {
		secret, err := readSecret(file)
		if err != nil {
			return nil, fmt.Errorf("env_files of server %q: %w", conf.Name, err)
		}
		own[name] = secret
	}
	env, err := stdio.Environment(lookup, own)
	if err != nil {
		return nil, fmt.Errorf("environment of server %q: %w", conf.Name, err)
	}
	if n.stdio == nil {
		n.stdio = stdio.NewMetrics(n.registry)
	}
	c, err := stdio.New(stdio.Config{
		Name: conf.Name, Version: version(), Command: conf.Stdio.Command, Env: env, Folder: conf.Stdio.Folder,
		Memory: int64(conf.Stdio.Memory), InFlight: conf.Stdio.InFlight, Timeout: conf.Timeout,
		Log: n.log, Metrics: n.stdio,
	})
	if err == nil {
		n.children = append(n.children, c)
	}
	return c, err
}

// startChildren starts them all; end ends them, all at once.
func (n *node) startChildren() (end func()) {
	for _, c := range n.children {
		c.Start()
	}
	return func() {
		var group sync.WaitGroup
		for _, c := range n.children {
			group.Go(c.Close)
		}
		group.Wait()
	}
}

func (n *node) childrenReady() error {
	var failures []error
	for _, c := range n.children {
		failures = append(failures, c.Ready())
	}
	return errors.Join(failures...)
}

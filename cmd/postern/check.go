package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p program) checkCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check -c postern.yaml",
		Short: "Check a configuration file and its policies, with line numbers",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(path, p.lookup)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: fine\n", path)
			for _, server := range s.file.Servers {
				fmt.Fprintf(p.stdout, "%s: fine (server %s, version %s)\n", server.Policy, server.Name, s.policies[server.Name].Version())
			}
			return nil
		},
	}
	configFlag(c, &path)
	return c
}

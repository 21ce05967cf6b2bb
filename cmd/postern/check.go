package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p program) checkCommand() *cobra.Command {
	var path string
	var without bool
	c := &cobra.Command{
		Use:   "check -c postern.yaml",
		Short: "Check a configuration file and its policies, with line numbers",
		Long: "Check a configuration file, its policies, and that the files with secrets, keys and\n" +
			"certificates it names can be read; of those, only the URL of a database is looked at.\n" +
			"Where they are not, as in a build: --without-files.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(path, p.lookup)
			if err != nil {
				return err
			}
			if !without {
				err = s.file.CheckFiles()
			}
			if err != nil {
				return usageError{fmt.Errorf("%w\nWhere these files are not, as in a build: --without-files", err)}
			}
			fmt.Fprintf(p.stdout, "%s: fine\n", path)
			for _, server := range s.file.Servers {
				fmt.Fprintf(p.stdout, "%s: fine (server %s, version %s)\n", server.Policy, server.Name, s.policies[server.Name].Version())
			}
			return nil
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&without, "without-files", false, "do not look for the files with secrets, keys and certificates")
	return c
}

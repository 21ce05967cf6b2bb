package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// someFlag, atMostOneFlag and exactlyOneFlag demand so many of these flags.
func someFlag(c *cobra.Command, names ...string) { flagsBetween(c, 1, len(names), names) }

func atMostOneFlag(c *cobra.Command, names ...string) { flagsBetween(c, 0, 1, names) }

func exactlyOneFlag(c *cobra.Command, names ...string) { flagsBetween(c, 1, 1, names) }

func flagsBetween(c *cobra.Command, least, most int, names []string) {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		given := 0
		for _, n := range names {
			if c.Flags().Changed(n) {
				given++
			}
		}
		list := "--" + strings.Join(names, ", --")
		if given < least {
			return usageError{fmt.Errorf("%s needs one of %s\nSee: %s --help", c.CommandPath(), list, c.CommandPath())}
		}
		if given > most {
			return usageError{fmt.Errorf("%s takes only one of %s\nSee: %s --help", c.CommandPath(), list, c.CommandPath())}
		}
		return check(c, args)
	}
}

package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	commandRow  = regexp.MustCompile("(?m)^\\| `([a-z -]+)` \\| (.*) \\|$")
	commandSaid = regexp.MustCompile("`(?:postern admin )?((?:user|identity|role|client|resource-server|grant|token|session|sign-in|invitation|key|risk) [a-z-]+|invite|status|login)\\b([^`]*)`")
	flagSaid    = regexp.MustCompile(`--([a-z-]+)`)
)

// The page lists every command in the words of its help, and no other; what it
// says elsewhere to type is a command with such flags.
func TestAdminPageListsEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	commands, want := map[string]*cobra.Command{}, []string{}
	walk((program{}).adminCommand(), func(c *cobra.Command) {
		name := strings.TrimPrefix(c.CommandPath(), "admin ")
		commands[name] = c
		want = append(want, "| `"+name+"` | "+c.Short+" |")
	})
	_, list, _ := strings.Cut(page, "## Every command\n")
	list, _, _ = strings.Cut(list, "\n## ")
	if got := commandRow.FindAllString(list, -1); !slices.Equal(got, want) {
		t.Errorf("the list of commands should be\n%s", strings.Join(want, "\n"))
	}
	for _, said := range commandSaid.FindAllStringSubmatch(page, -1) {
		c := commands[said[1]]
		if c == nil {
			t.Errorf("there is no command %s", said[0])
			continue
		}
		for _, flag := range flagSaid.FindAllStringSubmatch(said[2], -1) {
			if c.Flag(flag[1]) == nil {
				t.Errorf("%s: there is no --%s", said[0], flag[1])
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
)

// riskCommand is about how sign-ins are judged.
func (p program) riskCommand(path *string) *cobra.Command {
	return group("risk", "How sign-ins are judged", p.riskExplainCommand(path))
}

const riskLong = `Say what a sign-in would get, and why, by the rules of the configuration
(authserver.sign_in) and by what is known of the person. It changes nothing.

The browser is taken for one that shows no cookie of the server, so failures at
browsers the person used before do not count.`

// riskQuestion is which sign-in is asked about.
type riskQuestion struct {
	user, address, agent, at string
}

func (p program) riskExplainCommand(path *string) *cobra.Command {
	var q riskQuestion
	var format string
	c := &cobra.Command{
		Use:     "explain --user NAME --address IP --agent USER_AGENT",
		Short:   "Say what a sign-in would get, and why",
		Long:    riskLong,
		Example: `  postern admin risk explain --user ada --address 192.0.2.99 --agent "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			address, at, err := q.read(c)
			if err != nil {
				return usageError{err}
			}
			if format != "text" && format != "json" {
				return usageError{errors.New("--output must be one of: text, json")}
			}
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				e, err := s.ExplainSignIn(c.Context(), q.user, address, q.agent, at)
				if errors.Is(err, authserver.ErrUnknown) {
					return fmt.Errorf("there is no user %q; see: postern admin user list", q.user)
				}
				if err != nil {
					return err
				}
				if format == "json" {
					return p.printJSON(e)
				}
				return p.printRisk(e)
			})
		},
	}
	c.Flags().StringVar(&q.user, "user", "", "who signs in, by name")
	c.Flags().StringVar(&q.address, "address", "", "from which IP address")
	c.Flags().StringVar(&q.agent, "agent", "", `with which User-Agent header; "" for none`)
	c.Flags().StringVar(&q.at, "at", "", "when, such as 2026-11-21T12:00:00Z; now, if absent")
	c.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return c
}

func (q riskQuestion) read(c *cobra.Command) (address netip.Addr, at time.Time, err error) {
	if q.user == "" || q.address == "" || !c.Flags().Changed("agent") {
		return netip.Addr{}, time.Time{}, errors.New("--user, --address and --agent are required: they are what is judged")
	}
	if address, err = netip.ParseAddr(q.address); err != nil {
		return netip.Addr{}, time.Time{}, errors.New("--address must be an IP address, such as 192.0.2.99 or 2001:db8::1")
	}
	if q.at == "" {
		return address, time.Now(), nil
	}
	if at, err = time.Parse(time.RFC3339, q.at); err != nil {
		return netip.Addr{}, time.Time{}, errors.New("--at must be a time such as 2026-11-21T12:00:00Z")
	}
	return address, at, nil
}

// verdicts are the outcomes in words.
var verdicts = map[string]string{
	"allow":   "let in",
	"step_up": "asked for a second factor",
	"refuse":  "refused",
}

func (p program) printRisk(e authserver.RiskExplanation) error {
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	network, known := e.Network, "no"
	if e.Place != "" {
		network += " in " + e.Place
	}
	if e.Known {
		known = "yes"
	}
	fmt.Fprintf(table, "User\t%s\n", e.User)
	fmt.Fprintf(table, "Time\t%s\n", stamp(e.At))
	fmt.Fprintf(table, "Network\t%s\n", network)
	fmt.Fprintf(table, "Browser\t%s\n", e.Agent)
	fmt.Fprintf(table, "Known together\t%s\n", known)
	fmt.Fprintf(table, "Outcome\t%s (%s)\n", e.Outcome, verdicts[e.Outcome])
	fmt.Fprintf(table, "Points\t%d; a second factor from %d, refused from %d\n", e.Score, e.StepUpFrom, e.RefuseFrom)
	if err := table.Flush(); err != nil || len(e.Findings) == 0 {
		return err
	}
	fmt.Fprintln(table, "\nREASON\tPOINTS\tMEANING")
	for _, f := range e.Findings {
		fmt.Fprintf(table, "%s\t%d\t%s\n", f.Reason, f.Points, f.Words)
	}
	return table.Flush()
}

// printJSON prints one value, with line breaks for people.
func (p program) printJSON(v any) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", text)
	return err
}

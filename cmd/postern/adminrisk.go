package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

const riskLong = `Say what a sign-in would get, and why, by the rules of the configuration
(authserver.sign_in) and by what is known of the person. It changes nothing.

The browser is taken for one that shows no cookie of the server, so failures at
browsers the person used before do not count.`

func (o *office) riskExplain() *cobra.Command {
	var q admin.RiskQuery
	var user string
	c := &cobra.Command{
		Use:     "explain --user NAME --address IP --agent USER_AGENT",
		Short:   "Say what a sign-in would get, and why",
		Long:    riskLong,
		Example: `  postern admin risk explain --user ada --address 192.0.2.99 --agent "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"`,
		Args:    noArguments,
		PreRunE: func(c *cobra.Command, _ []string) error {
			if user == "" || q.Address == "" || !c.Flags().Changed("agent") {
				return usageError{errors.New("--user, --address and --agent are required: they are what is judged")}
			}
			return nil
		},
	}
	c.Flags().StringVar(&user, "user", "", "who signs in, by name")
	c.Flags().StringVar(&q.Address, "address", "", "from which IP address")
	c.Flags().StringVar(&q.Agent, "agent", "", `with which User-Agent header; "" for none`)
	c.Flags().StringVar(&q.At, "at", "", "when, such as 2026-11-21T12:00:00Z; now, if absent")
	return answer(o, c, o.printRisk, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.Risk], error) {
		return ofPerson(admin.ExplainSignIn, func(u admin.User) admin.RiskQuery {
			q.ID = u.ID
			return q
		})(ctx, c, []string{user})
	})
}

// verdicts are the outcomes in words.
var verdicts = map[string]string{
	"allow":   "let in",
	"step_up": "asked for a second factor",
	"refuse":  "refused",
}

func (o *office) printRisk(w io.Writer, v admin.Risk) error {
	network := v.Network
	if v.Place != "" {
		network += " in " + v.Place
	}
	err := facts(w, "User", v.UserName, "Time", stamp(v.At), "Network", network, "Browser", v.Agent, "Known together", yesNo(v.Known),
		"Second factor", yesNo(v.Factor), "Outcome", v.Outcome+" ("+verdicts[v.Outcome]+")",
		"Points", fmt.Sprintf("%d; a second factor from %d, refused from %d", v.Points, v.StepUp, v.Refuse))
	if err != nil || len(v.Findings) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t := newTable(o.width(), "REASON", "POINTS", "MEANING…")
	for _, f := range v.Findings {
		t.add(f.Reason, strconv.Itoa(f.Points), f.Words)
	}
	return t.print(w)
}

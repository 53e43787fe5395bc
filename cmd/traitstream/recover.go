package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"traitstream/processor"
)

func (m *Main) recoverCommand() *cobra.Command {
	var o consent
	c := &cobra.Command{
		Use: "recover", Short: "Write definitions down again that the control topic has lost",
		Long: "Where the control topic was deleted while nobody ran, nobody knows the definitions any more that tasks are computed\n" +
			"by. This writes those of the configuration down as these: give it the file as it was when it was last put in force.\n" +
			"Tasks then go on as they were, and nothing is computed anew. What was on its way is given up: apply it again.\n" +
			"It reads the whole changelog to find out what is lost.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.withJobs(c.Context(), cfg, func(a *jobsApp) error { return m.recoverDefinitions(c.Context(), a, o) })
		},
	}
	o.flag(c)
	return c
}

func (m *Main) recoverDefinitions(ctx context.Context, a *jobsApp, o consent) error {
	lost, err := a.jobs.Lost(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(m.Stderr, "lost: %s\n", generationList(lost))
	if err := m.ask(ctx, "Are the configuration's definitions what was in force last?", o); err != nil {
		return err
	}
	lost, err = a.jobs.Recover(ctx, a.conn.options, processor.DefineRequest{Traits: a.cfg.Traits, Reason: "recovered", By: whoami()})
	if err != nil {
		return err
	}
	if m.format == "json" {
		return m.printJSON(struct {
			Recovered []uint32 `json:"recovered"`
		}{lost})
	}
	_, err = fmt.Fprintf(m.Stdout, "%s written down again; start the processes (`traitstream run`)\n", generationList(lost))
	return err
}

func generationList(numbers []uint32) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = fmt.Sprintf("generation %d", n)
	}
	return strings.Join(words, ", ")
}

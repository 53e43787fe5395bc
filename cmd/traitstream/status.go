package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
)

type statusOptions struct {
	letters letters
	local   bool
}

func (m *Main) statusCommand() *cobra.Command {
	o := statusOptions{letters: letters{text: "24h", last: 24 * time.Hour}}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the tasks, who has them and how far behind they are",
		Long: "Shows each task: who has it, whether its state is being restored, how many records of its inputs are not\n" +
			"processed yet and how old the oldest of them is. It asks the brokers, so it works wherever the configuration\n" +
			"does; how far a restore is, it asks the processes at http.advertise, or at http.listen where that tells.\n" +
			"Dead letters are counted by reason: those of the last 24 hours, of another time up to now, all, or none.\n" +
			"Counting reads them, which takes a while where they are many.\n" +
			"With --local it asks the process at http.listen alone whether it is ready, as a health check does.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if o.local {
				if c.Flags().Changed("dead-letters") {
					return usage("--dead-letters asks the brokers, --local does not")
				}
				return m.statusLocal(c.Context(), cfg.HTTP.Listen)
			}
			return m.status(c.Context(), cfg, o)
		},
	}
	c.Flags().Var(&o.letters, "dead-letters", "which dead letters to count: none, all, or how far back, such as 12h or 7d")
	c.Flags().BoolVar(&o.local, "local", false, "ask the process at http.listen alone: exit status 0 if it is ready, 1 if not")
	return c
}

// status looks at the group once and prints what it sees.
func (m *Main) status(ctx context.Context, cfg *config.Config, o statusOptions) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		return err
	}
	r := newStatusReport(cfg.App, topics)
	if !topics.Inbox.Missing {
		group, err := settledGroup(ctx, conn.client, cfg.Group())
		if err != nil {
			return err
		}
		inputs, err := conn.fleet(cfg, topics).Inputs(ctx)
		if err != nil {
			return err
		}
		r.fill(cfg.InboxTopic(), group, inputs, askProcesses(ctx, group.members), time.Now())
	}
	if r.Letters, err = m.countLetters(ctx, conn.client, topics.DeadLetters, o.letters, time.Now()); err != nil {
		return err
	}
	return m.printStatus(r)
}

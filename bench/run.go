package main

import (
	"context"

	"github.com/spf13/cobra"

	"traitstream/bench/contest"
)

func (b *bench) runCommand() *cobra.Command {
	var names []string
	var times int
	c := &cobra.Command{
		Use: "run [INPUT...]", Short: "Run contestants from nothing to the end of inputs",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"skewed"}
			}
			return b.run(c.Context(), args, names, times)
		},
	}
	c.Flags().StringSliceVar(&names, "contestants", everybody(), "who")
	c.Flags().IntVar(&times, "times", 1, "how often")
	return c
}

// run runs contestants in turn, so that a machine that slows down slows all.
func (b *bench) run(ctx context.Context, inputs, names []string, times int) error {
	court, err := b.court(ctx)
	if err != nil {
		return err
	}
	defer court.Cluster.Close()
	chosen, err := b.contestants(names)
	if err != nil {
		return err
	}
	b.printHead(head, "contestant", "input", "wall s", "CPU s", "broker", "peak MiB", "events/s", "per CPU s", "Kafka MiB", "outputs", "check")
	for _, name := range inputs {
		in, err := b.input(ctx, court, name, nil)
		if err != nil {
			return err
		}
		for range times {
			for _, who := range chosen {
				r, err := court.Run(ctx, who, in)
				if err != nil {
					return err
				}
				if err := b.printRow(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

const (
	head = "%-20s %-9s %7s %7s %7s %8s %9s %9s %9s %10s  %s\n"
	row  = "%-20s %-9s %7.1f %7.1f %7.1f %8d %9s %9s %9d %10d  %s\n"
)

func (b *bench) printRow(r *contest.Result) error {
	return b.print(r, row, r.Contestant, r.Input, r.Seconds, r.CPU, r.BrokerCPU, r.PeakMemory>>20,
		count(r.Rate), count(r.PerCPU), r.Written>>20, r.Outputs, r.Check)
}

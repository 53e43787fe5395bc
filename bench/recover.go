package main

import (
	"context"

	"github.com/spf13/cobra"

	"traitstream/bench/contest"
	"traitstream/bench/workload"
)

// trial loads an input for traitstream alone. The caller closes the cluster.
func (b *bench) trial(ctx context.Context, input string, change func(*workload.Params)) (_ *contest.Court, _ *contest.Input, _ *contest.Contestant, err error) {
	who, err := b.traitstream()
	if err != nil {
		return nil, nil, nil, err
	}
	court, err := b.court(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	in, err := b.input(ctx, court, input, change)
	if err != nil {
		court.Cluster.Close()
		return nil, nil, nil, err
	}
	return court, in, who, nil
}

func (b *bench) crashCommand() *cobra.Command {
	var times int
	c := &cobra.Command{
		Use: "crash INPUT", Short: "Kill traitstream at full load and time its way back", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, in, who, err := b.trial(c.Context(), args[0], func(p *workload.Params) { lastFor(p, times) })
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			r, err := court.Crash(c.Context(), who, in, times)
			if err != nil {
				return err
			}
			took := r.Seconds
			return b.print(r, "%s, %s keys: killed %d times, the first output after min %.2f s, median %.2f s, max %.2f s; output %s\n",
				r.Input, count(float64(r.Keys)), times, took[0], took[len(took)/2], took[len(took)-1], r.Check)
		},
	}
	c.Flags().IntVar(&times, "times", 5, "how often")
	return c
}

// lastFor makes an input so long that it lasts until the last kill also where it
// is scaled down: kills begin when each key was read, and between them are two
// seconds at most.
func lastFor(p *workload.Params, kills int) {
	const aKill = 800_000
	p.Events = max(p.Events, int64(p.Users)*int64(p.Flags)+aKill*int64(kills))
}

func (b *bench) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restore INPUT", Short: "Start traitstream on an empty disk", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, in, who, err := b.trial(c.Context(), args[0], nil)
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			r, err := court.Restore(c.Context(), who, in)
			if err != nil {
				return err
			}
			return b.print(r, "%s: %s keys from %s changelog offsets in %.2f s: %s keys/s; ready %.2f s after the start, %.1f CPU s, %d MiB at most; output %s\n",
				r.Input, count(float64(r.Keys)), count(float64(r.Records)), r.Restore.Seconds(),
				count(float64(r.Keys)/r.Restore.Seconds()), r.Ready.Seconds(), r.CPU.Seconds(), r.PeakMemory>>20, r.Check)
		},
	}
}

func (b *bench) rebalanceCommand() *cobra.Command {
	var rate int
	c := &cobra.Command{
		Use: "rebalance INPUT", Short: "Let a second traitstream with warm state come back under load", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, in, who, err := b.trial(c.Context(), args[0], nil)
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			pauses, err := court.Rebalance(c.Context(), who, in, rate)
			if err != nil {
				return err
			}
			return b.printPauses(pauses)
		},
	}
	c.Flags().IntVar(&rate, "rate", 0, "events a second that are added meanwhile; 0: the input's, as fast as it goes")
	return c
}

func (b *bench) printPauses(pauses []contest.Pause) error {
	for _, p := range pauses {
		what := "stayed"
		if p.Moved {
			what = "moved"
		}
		err := b.print(&p, "task %d  %-6s  longest pause before %.2f s, then %.2f s\n", p.Task, what, p.Before.Seconds(), p.Pause.Seconds())
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"traitstream/bench/contest"
)

func (b *bench) crashCommand() *cobra.Command {
	var times int
	c := &cobra.Command{
		Use: "crash INPUT", Short: "Kill traitstream at full load and time its way back", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, err := b.court(c.Context())
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			in, err := b.input(c.Context(), court, args[0], nil)
			if err != nil {
				return err
			}
			who, err := b.traitstream()
			if err != nil {
				return err
			}
			took, r, err := court.Crash(c.Context(), who, in, times)
			if err != nil {
				return err
			}
			slices.Sort(took)
			if b.json {
				return b.print(map[string]any{"input": in.Name, "keys": in.Digest.Keys, "seconds": seconds(took), "check": r.Check})
			}
			b.printf("%s, %s keys: killed %d times, the first output after min %.2f s, median %.2f s, max %.2f s; output %s\n",
				in.Name, count(float64(in.Digest.Keys)), times, took[0].Seconds(), took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), r.Check)
			return nil
		},
	}
	c.Flags().IntVar(&times, "times", 5, "how often")
	return c
}

func seconds(all []time.Duration) []float64 {
	out := make([]float64, len(all))
	for i, d := range all {
		out[i] = d.Seconds()
	}
	return out
}

func (b *bench) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restore INPUT", Short: "Start traitstream on an empty disk", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, err := b.court(c.Context())
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			in, err := b.input(c.Context(), court, args[0], nil)
			if err != nil {
				return err
			}
			who, err := b.traitstream()
			if err != nil {
				return err
			}
			out, r, err := court.Restore(c.Context(), who, in)
			if err != nil {
				return err
			}
			if b.json {
				return b.print(out)
			}
			b.printf("%s: %s keys from %s changelog offsets in %.2f s: %s keys/s; ready %.2f s after the start, %.1f CPU s, %d MiB at most; output %s\n",
				in.Name, count(float64(out.Keys)), count(float64(out.Records)), out.Restore.Seconds(),
				count(float64(out.Keys)/out.Restore.Seconds()), out.Ready.Seconds(), out.CPU.Seconds(), out.PeakMemory>>20, r.Check)
			return nil
		},
	}
}

func (b *bench) rebalanceCommand() *cobra.Command {
	var rate int
	c := &cobra.Command{
		Use: "rebalance INPUT", Short: "Let a second traitstream with warm state come back under load", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			court, err := b.court(c.Context())
			if err != nil {
				return err
			}
			defer court.Cluster.Close()
			in, err := b.input(c.Context(), court, args[0], nil)
			if err != nil {
				return err
			}
			who, err := b.traitstream()
			if err != nil {
				return err
			}
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
		if b.json {
			if err := b.print(p); err != nil {
				return err
			}
			continue
		}
		what := "stayed"
		if p.Moved {
			what = "moved"
		}
		b.printf("task %d  %-6s  longest pause before %.2f s, then %.2f s\n", p.Task, what, p.Before.Seconds(), p.Pause.Seconds())
	}
	return nil
}

// print prints an object as a line.
func (b *bench) print(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		b.printf("%s\n", text)
	}
	return err
}

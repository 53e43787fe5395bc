package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"traitstream/bench/contest"
)

func (b *bench) latencyCommand() *cobra.Command {
	var names []string
	var rate, seconds, warmUp int
	c := &cobra.Command{
		Use: "latency [INPUT]", Short: "Time changes at a fixed rate, from empty topics", Args: cobra.MaximumNArgs(1),
		Long: `Time changes at a fixed rate, from empty topics: from just before the producer, which does not linger, is
handed an impression to the moment that a read_committed reader has its change. The CPU use is that of the
window, in percent of one core; "others" is what neither the contestant nor the broker nor this program used, and
should be little. With --rate 20 it tells what a trickle costs.

Events are such as the input's parameters make them. Early on most keys are seen for the first time, so more
of them are changes than in the whole input; the table tells how many. A broker that was just started is slow:
measure until its CPU use no longer falls.`,
		RunE: func(c *cobra.Command, args []string) error {
			if rate < 1 || seconds < 1 || warmUp < 0 {
				return fmt.Errorf("the rate and the seconds must be at least 1: %d, %d", rate, seconds)
			}
			input := "skewed"
			if len(args) > 0 {
				input = args[0]
			}
			pace := contest.Pace{Rate: rate, WarmUp: time.Duration(warmUp) * time.Second, Window: time.Duration(seconds) * time.Second}
			return b.latency(c.Context(), input, names, pace)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&names, "contestants",
		[]string{"traitstream", "kafka-streams-papi", "flink-hashmap-100ms", "flink-rocksdb-100ms", "goka"}, "who")
	f.IntVar(&rate, "rate", 5000, "events a second")
	f.IntVar(&seconds, "seconds", 28, "how long is measured")
	f.IntVar(&warmUp, "warm-up", 12, "seconds before that, for compilers and caches")
	return c
}

func (b *bench) latency(ctx context.Context, input string, names []string, pace contest.Pace) error {
	court, err := b.court(ctx)
	if err != nil {
		return err
	}
	defer court.Cluster.Close()
	params, err := b.preset(input)
	if err != nil {
		return err
	}
	chosen, err := b.contestants(names)
	if err != nil {
		return err
	}
	for _, who := range chosen {
		if who.Unchecked {
			return fmt.Errorf("%s does not do the job, so it has no latency", who.Name)
		}
	}
	b.printHead(latencyHead, "contestant", "input", "events/s", "changes", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "CPU", "broker", "others", "check")
	for _, who := range chosen {
		l, err := court.Latency(ctx, who, input, params, pace)
		if err != nil {
			return err
		}
		if err := b.printLatency(l); err != nil {
			return err
		}
	}
	return nil
}

const (
	latencyHead = "%-20s %-9s %8s %8s %8s %8s %8s %8s %8s %7s %8s %8s  %s\n"
	latencyRow  = "%-20s %-9s %8d %6.0f %% %8.1f %8.1f %8.1f %8.1f %8.1f %5.1f %% %6.1f %% %6.1f %%  %s\n"
)

func (b *bench) printLatency(l *contest.Latency) error {
	return b.print(l, latencyRow, l.Contestant, l.Input, l.Rate, 100*float64(l.Changes)/float64(max(l.Events, 1)),
		l.P50, l.P90, l.P99, l.P999, l.Max, l.CPU, l.BrokerCPU, l.OtherCPU, l.Check)
}

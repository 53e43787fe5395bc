// Command bench measures traitstream, and what else does its job, on one input.
//
//	go -C bench run . load skewed
//	go -C bench run . run
//	go -C bench run . crash busy-5m
//	go -C bench run . latency --rate 5000
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"traitstream/bench/cluster"
	"traitstream/bench/contest"
	"traitstream/bench/workload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := (&bench{out: os.Stdout}).command().ExecuteContext(ctx)
	stop()
	if err != nil {
		say("bench: %v", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// bench is what all commands have in common.
type bench struct {
	brokers []string
	broker  int
	work    string
	root    string
	workers int
	port    int
	json    bool
	keep    string
	scale   float64
	out     io.Writer
}

func (b *bench) command() *cobra.Command {
	root := &cobra.Command{
		Use: "bench", Short: "Measure traitstream and its peers on one job",
		SilenceUsage: true, SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringSliceVar(&b.brokers, "brokers", []string{"127.0.0.1:9092"}, "`HOST:PORT` of brokers")
	f.IntVar(&b.broker, "broker-pid", 0, "`PID` of the broker, for its CPU time")
	f.StringVar(&b.work, "work", filepath.Join(os.TempDir(), "traitstream-bench"), "`FOLDER` of programs, logs and state")
	f.StringVar(&b.root, "root", "..", "`FOLDER` of the repository")
	f.IntVar(&b.workers, "workers", 2, "threads or workers of a contestant")
	f.IntVar(&b.port, "port", 18080, "first free port for HTTP")
	f.BoolVar(&b.json, "json", false, "print a JSON object a line")
	f.StringVar(&b.keep, "keep", "", "`FILE` to which results are added too, a JSON object a line")
	f.Float64Var(&b.scale, "scale", 1, "users and events of inputs, times this")
	root.AddCommand(b.loadCommand(), b.runCommand(), b.crashCommand(), b.restoreCommand(), b.rebalanceCommand(),
		b.latencyCommand(), b.plotCommand(), b.limitCommand(), b.gokaCommand())
	return root
}

// court connects; the caller closes its cluster.
func (b *bench) court(ctx context.Context) (*contest.Court, error) {
	work, err := filepath.Abs(b.work)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of runs: %w", err)
	}
	c, err := cluster.Connect(ctx, b.brokers)
	if err != nil {
		return nil, err
	}
	return &contest.Court{Cluster: c, Broker: b.broker, Work: work, Workers: b.workers, Port: b.port, Log: say}, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// preset returns an input's parameters.
func (b *bench) preset(name string) (workload.Params, error) {
	var names []string
	for _, preset := range workload.Presets() {
		if preset.Name == name {
			return preset.Scaled(b.scale), nil
		}
		names = append(names, preset.Name)
	}
	return workload.Params{}, fmt.Errorf("there is no input %q: %s", name, strings.Join(names, ", "))
}

// input loads a preset, unless the cluster has it.
func (b *bench) input(ctx context.Context, c *contest.Court, name string, change func(*workload.Params)) (*contest.Input, error) {
	params, err := b.preset(name)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(&params)
	}
	progress := newProgress("loading " + name)
	in, err := contest.Prepare(ctx, c.Cluster, c.Work, name, params, progress.at)
	progress.end()
	return in, err
}

// everybody is who does the whole job, and the limits.
func everybody() []string {
	return []string{
		"traitstream", "kafka-streams-papi", "kafka-streams-dsl", "flink-hashmap-1s", "flink-hashmap-10s", "flink-rocksdb-1s",
		"goka", "limit-consume", "limit-pass",
	}
}

// contestants returns those with some names.
func (b *bench) contestants(names []string) ([]*contest.Contestant, error) {
	root, err := filepath.Abs(b.root)
	if err != nil {
		return nil, err
	}
	all := []contest.Contestant{
		contest.Traitstream(root),
		contest.Streams(root, "papi"), contest.Streams(root, "dsl"),
		contest.Flink(root, "hashmap", time.Second), contest.Flink(root, "hashmap", 10*time.Second), contest.Flink(root, "rocksdb", time.Second),
		contest.Flink(root, "hashmap", 100*time.Millisecond), contest.Flink(root, "rocksdb", 100*time.Millisecond),
		contest.Goka(), contest.Consume(), contest.Pass(),
	}
	var chosen []*contest.Contestant
	var known []string
	for i := range all {
		known = append(known, all[i].Name)
		if slices.Contains(names, all[i].Name) {
			chosen = append(chosen, &all[i])
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no contestant %q: %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// traitstream is the contestant that all commands know.
func (b *bench) traitstream() (*contest.Contestant, error) {
	c, err := b.contestants([]string{"traitstream"})
	if err != nil {
		return nil, err
	}
	return c[0], nil
}

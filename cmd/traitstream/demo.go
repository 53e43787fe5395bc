package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/ingest"
	"traitstream/kafka"
)

// sample shows the recipe by hand: two flags that were asked for users and for
// a visitor, with an SDK that was not ready, a late copy and another call.
//
//go:embed sample/impressions.jsonl
var sample []byte

const sampleName = "sample.jsonl"

type demoOptions struct {
	users      users
	recordTime recordTime
	lines      bool
}

func (m *Main) demoCommand() *cobra.Command {
	o := demoOptions{users: 20}
	c := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "Show the whole job on files, or on a sample, and leave nothing behind",
		Long: "Starts a broker in this process, imports the files, processes them and prints each user's traits.\n" +
			"Of the configuration it uses the traits and the first source's settings, nothing else.",
		RunE: func(c *cobra.Command, files []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.demo(c.Context(), cfg, files, o)
		},
	}
	c.Flags().Var(&o.users, "users", "how many users to print, or all")
	c.Flags().Var(&o.recordTime, "record-time", "timestamp of the imported records (default: now)")
	c.Flags().BoolVar(&o.lines, "lines", false, "take every line of a file for a record of its own")
	return c
}

// demo does the whole job on a broker of its own.
func (m *Main) demo(ctx context.Context, given *config.Config, files []string, o demoOptions) (err error) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	cfg, err := demoConfig(given, broker.Brokers())
	if err != nil {
		return err
	}
	a, err := newApp(ctx, cfg, slog.New(slog.DiscardHandler), appOptions{
		create: kafka.Creation{Own: true, Sources: createdPartitions}, inMemory: true, embedded: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()

	imported, err := m.demoImport(ctx, a, files, o)
	if err != nil {
		return err
	}
	if err := m.demoProcess(ctx, a, imported.Impressions); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped before the end: %w", err)
	}
	return m.demoPrint(ctx, a, imported, o)
}

// demoConfig is the default configuration with the traits and the first
// source's settings of the given one.
func demoConfig(given *config.Config, brokers []string) (*config.Config, error) {
	cfg, err := config.Parse("", nil, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, fmt.Errorf("reading the default configuration: %w", err)
	}
	source := given.Sources[0]
	source.From = config.From{}
	if source.Format == impression.Avro {
		source.Format = impression.Auto // a file is none
	}
	cfg.Sources, cfg.Traits = []config.Source{source}, given.Traits
	cfg.Kafka.Brokers = brokers
	return cfg, nil
}

// demoImport puts the files, or the sample, into the source topic.
func (m *Main) demoImport(ctx context.Context, a *app, files []string, o demoOptions) (ingest.Counts, error) {
	source := a.cfg.Sources[0].Source
	target := a.topics.Sources[source.Topic]
	conn, err := connect(ctx, a.cfg, ingest.ClientOptions(target, a.topics.DeadLetters)...)
	if err != nil {
		return ingest.Counts{}, err
	}
	defer conn.client.Close()
	stdin := m.stdin(ctx)
	if len(files) == 0 {
		files, stdin = []string{"-"}, bytes.NewReader(sample)
	}
	progress := m.newProgress("importing")
	defer progress.close()
	importer, err := ingest.New(ingest.Options{
		Client: conn.client, Source: source, Filter: a.traits.Filter(),
		Target: target, DeadLetters: a.topics.DeadLetters,
		Lines: o.lines, Stdin: stdin, Now: o.recordTime.clock(), OnProgress: progress.update,
	})
	if err != nil {
		return ingest.Counts{}, err
	}
	for _, file := range files {
		if err := importer.File(ctx, file); err != nil {
			return ingest.Counts{}, err
		}
	}
	return importer.Counts(), nil
}

// demoProcess processes what was imported.
func (m *Main) demoProcess(ctx context.Context, a *app, impressions int64) error {
	processed := func() (reading, bool) {
		counts, err := outcomes(a.registry)
		if err != nil {
			return reading{}, false
		}
		var done float64
		for _, n := range counts {
			done += n
		}
		return reading{
			done: int64(done), total: impressions, doing: "processing",
			words:      fmt.Sprintf("%s of %s impressions", humanCount(int64(done)), humanCount(impressions)),
			attributes: []any{"impressions", int64(done), "of", impressions},
		}, true
	}
	return m.newMeter("processing", m.newScreen()).during(ctx, processed, func() error {
		return runUntilCaughtUp(ctx, a.processor("", true), nil)
	})
}

// latest returns the records of a topic as they are after compaction, sorted by
// key bytes; keys whose last record is a removal are left out.
func latest(ctx context.Context, cl *kgo.Client, topic string) ([]*kgo.Record, error) {
	last := map[string]*kgo.Record{}
	err := readTopic(ctx, cl, topic, startPoint{text: fromStart}, func(r *kgo.Record) error {
		if r.Value == nil {
			delete(last, string(r.Key))
		} else {
			last[string(r.Key)] = r
		}
		return nil
	})
	records := make([]*kgo.Record, 0, len(last))
	for _, r := range last {
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int { return bytes.Compare(a.Key, b.Key) })
	return records, err
}

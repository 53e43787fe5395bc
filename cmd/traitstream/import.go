package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/ingest"
	"traitstream/kafka"
)

type importOptions struct {
	topic      string
	recordTime recordTime
	lines      bool
	strict     bool
}

func (m *Main) importCommand() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Put files of impressions into a source topic",
		Long: "Puts files of any known shape into a source topic, one impression a record, keyed by user: JSON lines,\n" +
			"JSON, Parquet; .gz and .zst too. - is standard input. What is refused goes to the dead letters.\n" +
			"Source topic and dead letters are created where they are missing.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.importFiles(c.Context(), cfg, files, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "", "source `TOPIC` (default: the first of the configuration)")
	f.Var(&o.recordTime, "record-time", "timestamp of the records: RFC 3339, a date or ms (default: now)")
	f.BoolVar(&o.lines, "lines", false, "take every line of a file for a record of its own")
	f.BoolVar(&o.strict, "strict", false, "exit with status 1 if an element was refused")
	return c
}

// importFiles imports files and prints what became of them.
func (m *Main) importFiles(ctx context.Context, cfg *config.Config, files []string, o importOptions) error {
	source, err := pickSource(cfg, o.topic)
	if err != nil {
		return err
	}
	if err := checkFiles(files); err != nil {
		return err
	}
	target, letters, err := importTopics(ctx, cfg, source)
	if err != nil {
		return err
	}
	p := m.newProgress("importing")
	defer p.close()
	refused := refusals{out: p}
	start := time.Now()
	counts, failed := importAll(ctx, cfg, files, p.log, ingest.Options{
		Source: source, Filter: cfg.Set.Filter(), Target: target, DeadLetters: letters,
		Lines: o.lines, Stdin: m.stdin(ctx), Now: o.recordTime.clock(),
		OnProgress: p.update, OnRefused: refused.add, OnIgnored: p.ignored,
	})
	p.close()
	refused.close(letters.Name)
	if failed != nil && counts.Refused == nil {
		return failed // before it began
	}
	s := newImportSummary(target.Name, counts, p.bytes(), time.Since(start))
	if err := m.printImport(s); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped before the end: at least %d impressions are in %s; import the files again, what is there twice changes nothing",
			s.Impressions, s.Topic)
	case failed == nil && o.strict && refused.n > 0:
		return fmt.Errorf("%d elements were refused", refused.n)
	}
	return failed
}

// importAll imports files and counts the impressions that the broker has taken.
func importAll(ctx context.Context, cfg *config.Config, files []string, log *slog.Logger, o ingest.Options) (ingest.Counts, error) {
	arrived := &arrivals{topic: o.Target.Name}
	conn, err := connect(ctx, cfg, append(ingest.ClientOptions(o.Target, o.DeadLetters), kgo.WithHooks(arrived))...)
	if err != nil {
		return ingest.Counts{}, err
	}
	defer conn.client.Close()
	o.Client = conn.client
	importer, err := ingest.New(o)
	if err != nil {
		return ingest.Counts{}, err
	}
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	s := stall{arrived: arrived, client: conn.client, log: log}
	watching.Go(func() { s.watch(watch) })
	defer watching.Wait()
	defer stop()
	for _, file := range files {
		if err = importer.File(ctx, file); err != nil {
			break
		}
	}
	counts := importer.Counts()
	counts.Impressions = arrived.n.Load()
	return counts, err
}

// pickSource returns the settings for a topic: its own, or else the first
// source's.
func pickSource(cfg *config.Config, topic string) (impression.Source, error) {
	if slices.Contains(ownTopics(cfg), topic) {
		return impression.Source{}, usage("--topic: %s is a topic that the program writes, not a source", topic)
	}
	for _, s := range cfg.Sources {
		if topic != "" && s.Topic != topic {
			continue
		}
		if s.Format == impression.Avro {
			return impression.Source{}, usage("%s is read as Avro, and import writes JSON; name another source by --topic", s.Topic)
		}
		return s.Source, nil
	}
	source := cfg.Sources[0].Source
	source.Topic = topic
	if source.Format == impression.Avro {
		source.Format = impression.Auto
	}
	return source, nil
}

// checkFiles finds a misspelt name before anything is imported.
func checkFiles(files []string) error {
	for _, file := range files {
		if file == "-" {
			continue
		}
		_, err := os.Stat(file)
		if named := (*fs.PathError)(nil); errors.As(err, &named) {
			return fmt.Errorf("opening %s: %w", file, named.Err)
		}
	}
	return nil
}

// importTopics finds the source and the dead letters and creates them where
// they are missing. The other topics are left to run: the number of their
// partitions depends on all sources.
func importTopics(ctx context.Context, cfg *config.Config, source impression.Source) (target, letters kafka.Topic, err error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return target, letters, err
	}
	defer conn.client.Close()
	own := *cfg
	own.Sources = []config.Source{{Source: source}}
	topics, err := kafka.EnsureTopics(ctx, conn.client, &own, kafka.Creation{Sources: createdPartitions})
	if err == nil && topics.DeadLetters.Missing {
		if err = kafka.CreateTopics(ctx, conn.client, cfg.Kafka.ReplicationFactor, topics.DeadLetters); err == nil {
			topics, err = kafka.EnsureTopics(ctx, conn.client, &own, kafka.Creation{})
		}
	}
	if err != nil {
		return target, letters, err
	}
	return topics.Sources[source.Topic], topics.DeadLetters, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/ingest"
	"traitstream/kafka"
)

// shownRefusals is how many refused elements an import tells one by one.
const shownRefusals = 20

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
			"JSON, Parquet; .gz and .zst too. - is standard input. What is refused goes to the dead letters.",
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
	f.Var(&o.recordTime, "record-time", "timestamp of the records (default: now)")
	f.BoolVar(&o.lines, "lines", false, "take every line of a file for a record of its own")
	f.BoolVar(&o.strict, "strict", false, "exit with status 1 if an element was refused")
	return c
}

// importFiles imports files and prints what became of them.
func (m *Main) importFiles(ctx context.Context, cfg *config.Config, files []string, o importOptions) error {
	source := pickSource(cfg, o.topic)
	target, letters, err := importTopics(ctx, cfg, source)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, cfg, ingest.ClientOptions(target, letters)...)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	p := m.newProgress("importing")
	defer p.close()
	var refused int
	importer, err := ingest.New(ingest.Options{
		Client: conn.client, Source: source, Filter: cfg.Set.Filter(), Target: target, DeadLetters: letters,
		Lines: o.lines, Stdin: m.Stdin, Now: o.recordTime.clock(), OnProgress: p.update,
		OnRefused: func(file string, line int64, reason impression.Reason, message string) {
			if refused++; refused <= shownRefusals {
				fmt.Fprintf(m.Stderr, "%s:%d: %s: %s\n", file, line, reason, message)
			}
		},
		OnIgnored: func(file string) { fmt.Fprintf(m.Stderr, "%s: holds no impressions by its name, left out\n", file) },
	})
	if err != nil {
		return err
	}
	start := time.Now()
	for _, file := range files {
		if err = importer.File(ctx, file); err != nil {
			break
		}
	}
	p.close()
	if refused > shownRefusals {
		fmt.Fprintf(m.Stderr, "and %d more were refused; all of them are in %s\n", refused-shownRefusals, letters.Name)
	}
	if failed := m.printImport(importer.Counts(), target.Name, time.Since(start)); err == nil {
		err = failed
	}
	if err == nil && o.strict && refused > 0 {
		return errReported
	}
	return err
}

// pickSource returns the settings for a topic: its own, or else the first
// source's.
func pickSource(cfg *config.Config, topic string) impression.Source {
	for _, s := range cfg.Sources {
		if topic == "" || s.Topic == topic {
			return s.Source
		}
	}
	source := cfg.Sources[0].Source
	source.Topic = topic
	return source
}

// importTopics finds the topics that an import fills, and creates them.
func importTopics(ctx context.Context, cfg *config.Config, source impression.Source) (target, letters kafka.Topic, err error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return target, letters, err
	}
	defer conn.client.Close()
	own := *cfg
	own.Sources = []config.Source{{Source: source}}
	topics, err := kafka.EnsureTopics(ctx, conn.client, &own, kafka.Creation{Own: true, Sources: createdPartitions})
	if err != nil {
		return target, letters, err
	}
	return topics.Sources[source.Topic], topics.DeadLetters, nil
}

// printImport prints the counts of an import.
func (m *Main) printImport(c ingest.Counts, topic string, took time.Duration) error {
	refused := int64(0)
	for _, n := range c.Refused {
		refused += n
	}
	if m.format == "json" {
		return json.NewEncoder(m.Stdout).Encode(map[string]any{
			"topic": topic, "impressions": c.Impressions, "skipped": c.Skipped,
			"dead_letters": refused, "reasons": c.Refused, "seconds": took.Seconds(),
		})
	}
	t := table{right: map[int]bool{1: true}}
	t.add("impressions", strconv.FormatInt(c.Impressions, 10), "put into "+topic)
	if c.Skipped > 0 {
		t.add("skipped", strconv.FormatInt(c.Skipped, 10), "other calls, or identities that the source skips")
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
		t.add("dead letters", strconv.FormatInt(c.Refused[reason], 10), string(reason))
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	rate := float64(c.Impressions) / max(took.Seconds(), 1e-3)
	_, err := fmt.Fprintf(m.Stdout, "%s, %.0f impressions/s\n", humanDuration(took), rate)
	return err
}

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/deadletter"
	"traitstream/kafka"
)

type replayOptions struct {
	letterFilter
	consent          consent
	dryRun, returned bool
}

func (m *Main) dlqReplayCommand() *cobra.Command {
	o := replayOptions{consent: consent{harmless: true}}
	c := &cobra.Command{
		Use:   "replay",
		Short: "Put dead letters back into the sources that they came from, once",
		Long: "Puts the bytes that were refused back into the source topic that they came from, with their own headers and\n" +
			"timestamp, marked by the header traitstream.replayed; run reads them by the configuration as it is now. A\n" +
			"letter is put back once, also if the command is killed and run again. What is refused again is left alone\n" +
			"unless --returned asks for it. Nobody else may run it at the same time: the one who began last goes on. On a\n" +
			"terminal it asks before.\n\n" +
			"A letter of reason clock_ahead keeps its record's timestamp, so it is refused again unless\n" +
			"processor.max_clock_ahead has grown.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err == nil {
				err = o.check()
			}
			if err != nil {
				return err
			}
			return m.dlqReplay(c.Context(), cfg, o)
		},
	}
	o.flags(c, "put back at most `N`, the first ones that can be")
	o.consent.flag(c)
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and do nothing")
	c.Flags().BoolVar(&o.returned, "returned", false, "put those back too that were put back before and refused again")
	return c
}

// replayed is what became of a letter.
type replayed struct {
	letterReport
	Outcome deadletter.Outcome `json:"outcome"`
}

// replaySummary is what a replay prints at its end.
type replaySummary struct {
	DryRun  bool                         `json:"dry_run"`
	PutBack int64                        `json:"put_back"`
	Topics  map[string]int64             `json:"topics"` // put back, by source topic
	Left    map[deadletter.Outcome]int64 `json:"left"`   // left alone, and why
}

// dlqReplay puts letters back and prints what became of them.
func (m *Main) dlqReplay(ctx context.Context, cfg *config.Config, o replayOptions) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := replayTopics(ctx, conn.client, cfg, o.dryRun)
	if err != nil {
		return err
	}
	summary := replaySummary{DryRun: o.dryRun, Topics: map[string]int64{}, Left: map[deadletter.Outcome]int64{}}
	if topics.DeadLetters.Missing {
		return m.printReplay(summary)
	}
	if !o.dryRun {
		if err := m.ask(ctx, "Put dead letters back into their sources? (--dry-run lists them)", o.consent); err != nil {
			return err
		}
	}
	rows := m.newLetterRows("OUTCOME")
	reader := &deadletter.Reader{Client: conn.client, Topic: topics.DeadLetters.Name, Since: o.since.at}
	replay := deadletter.Replay{
		Client: conn.client, Connect: conn.options, App: cfg.App, Topics: topics, Reader: reader,
		Wanted: o.wants, Limit: int64(o.limit), Returned: o.returned, DryRun: o.dryRun,
		Tell: func(l *deadletter.Letter, outcome deadletter.Outcome) error {
			summary.count(l, outcome)
			if m.format == "text" && !o.dryRun {
				return nil
			}
			return rows.add(l, replayed{newLetterReport(l, ""), outcome}, string(outcome))
		},
	}
	run := func() error { return replay.Run(ctx) }
	if o.dryRun || m.format == "json" {
		err = run() // it prints as it goes, which a bar would disturb
	} else {
		err = m.newMeter("putting dead letters back", m.newScreen()).during(ctx, readingLetters(reader, "putting dead letters back"), run)
	}
	if err == nil {
		err = rows.flush()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped before the end: %s put back; run it again for the others",
			plural(int(summary.PutBack), "letter was", "letters were"))
	}
	if err != nil {
		return err
	}
	return m.printReplay(summary)
}

// replayTopics finds the topics; all sources must be there. The control topic,
// which takes down what was put back, is created where it is missing.
func replayTopics(ctx context.Context, cl *kgo.Client, cfg *config.Config, dryRun bool) (*kafka.Topics, error) {
	topics, err := kafka.EnsureTopics(ctx, cl, cfg, kafka.Creation{})
	if err != nil || dryRun || topics.DeadLetters.Missing || !topics.Control.Missing {
		return topics, err
	}
	if err := kafka.CreateTopics(ctx, cl, cfg.Kafka.ReplicationFactor, topics.Control); err != nil {
		return nil, err
	}
	return kafka.EnsureTopics(ctx, cl, cfg, kafka.Creation{})
}

func (s *replaySummary) count(l *deadletter.Letter, outcome deadletter.Outcome) {
	if outcome != deadletter.PutBack {
		s.Left[outcome]++
		return
	}
	s.PutBack++
	s.Topics[l.Place.Topic]++
}

func (m *Main) printReplay(s replaySummary) error {
	if m.format == "json" {
		return m.printJSON(s)
	}
	verb := "put back"
	if s.DryRun {
		verb = "would be put back"
	}
	lines := []string{plural(int(s.PutBack), "letter ", "letters ") + verb}
	if s.PutBack > 0 {
		lines[0] += " into " + strings.Join(slices.Sorted(maps.Keys(s.Topics)), ", ")
	}
	for _, outcome := range slices.Sorted(maps.Keys(s.Left)) {
		lines = append(lines, fmt.Sprintf("%d left alone: %s", s.Left[outcome], outcome.Words()))
	}
	_, err := fmt.Fprintln(m.Stdout, strings.Join(lines, "\n"))
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/deadletter"
	"traitstream/kafka"
)

func (m *Main) dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "List dead letters, show one, put them back into their sources",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("dlq: say what to do: list, show or replay")
		},
	}
	c.AddCommand(m.dlqListCommand(), m.dlqShowCommand(), m.dlqReplayCommand())
	return c
}

// letterFilter picks dead letters.
type letterFilter struct {
	reasons []string
	since   since
	limit   limit
}

func (f *letterFilter) flags(c *cobra.Command, limit string) {
	c.Flags().StringArrayVar(&f.reasons, "reason", nil, "only those of this `REASON`; it may be given several times")
	c.Flags().Var(&f.since, "since", "only those from then on: a time (RFC 3339, a date or ms), or how far back, such as 12h or 7d")
	c.Flags().Var(&f.limit, "limit", limit)
}

// check finds what can't be meant.
func (f *letterFilter) check() error {
	if slices.Contains(f.reasons, "") {
		return usage("--reason: a reason is missing")
	}
	return nil
}

func (f *letterFilter) wants(l *deadletter.Letter) bool {
	return len(f.reasons) == 0 || slices.Contains(f.reasons, l.Why())
}

// since is the value of --since; left out it is all.
type since struct {
	text string
	at   time.Time
}

func (s *since) String() string { return s.text }

func (s *since) Set(text string) error {
	if d, err := parseDays(text); err == nil {
		if d <= 0 {
			return errors.New("it is how far back to look, such as 12h or 7d")
		}
		s.text, s.at = text, ago(d, time.Now())
		return nil
	}
	at, err := parseMoment(text)
	if err != nil {
		return fmt.Errorf("it is a time, or how far back to look, such as 12h or 7d: %w", err)
	}
	s.text, s.at = text, at
	return nil
}

func (*since) Type() string { return "TIME|DURATION" }

// limit is the value of --limit: a number, 0 for all.
type limit int64

func (l *limit) String() string {
	if *l == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*l), 10)
}

func (l *limit) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return errors.New("it is a number from 1")
	}
	*l = limit(n)
	return nil
}

func (*limit) Type() string { return "N" }

// letterTopics are what list and show look at: they need no source.
type letterTopics struct{ letters, control kafka.Topic }

func describeLetters(ctx context.Context, cl *kgo.Client, cfg *config.Config) (letterTopics, error) {
	found, err := kafka.Describe(ctx, cl, cfg.DeadLetterTopic(), cfg.ControlTopic())
	if err != nil {
		return letterTopics{}, err
	}
	pick := func(name string) kafka.Topic {
		if t, ok := found[name]; ok {
			return t
		}
		return kafka.Topic{Name: name, Missing: true}
	}
	return letterTopics{pick(cfg.DeadLetterTopic()), pick(cfg.ControlTopic())}, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

// letters is the value of --dead-letters: none, all, or those of a time up to
// now.
type letters struct {
	text string
	last time.Duration // 0 with none and all
}

const (
	lettersNone = "none"
	lettersAll  = "all"
)

func (l *letters) String() string { return l.text }

func (l *letters) Set(text string) error {
	last := time.Duration(0)
	if text != lettersNone && text != lettersAll {
		var err error
		if last, err = parseDays(text); err != nil || last <= 0 {
			return errors.New("it is none, all, or how far back to count, such as 24h or 7d")
		}
	}
	l.text, l.last = text, last
	return nil
}

func (*letters) Type() string { return "none|all|DURATION" }

// parseDays reads a duration as Go does, or a number of days.
func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return d * 24, err
	}
	return time.ParseDuration(text)
}

// lettersReport counts dead letters by reason.
type lettersReport struct {
	Since   *time.Time       `json:"since"` // null: all that the topic holds
	Reasons map[string]int64 `json:"reasons"`
}

// unknownReason stands for a record of the dead letters that gives none.
const unknownReason = "unknown"

// countLetters counts the dead letters by reason; nil is not counted.
func (m *Main) countLetters(ctx context.Context, cl *kgo.Client, topic kafka.Topic, which letters, now time.Time) (*lettersReport, error) {
	report := &lettersReport{Reasons: map[string]int64{}}
	from := startPoint{text: fromStart}
	switch {
	case which.text == lettersNone:
		return nil, nil
	case which.last > 0:
		since := now.Add(-which.last).UTC().Truncate(time.Second)
		if first := time.Unix(0, 0).UTC(); since.Before(first) { // Kafka knows no time before
			since = first
		}
		report.Since, from = &since, startPoint{text: which.text, at: since}
	}
	if topic.Missing {
		return report, nil
	}
	adm := kadm.NewClient(cl)
	starts, err := from.list(ctx, adm, topic.Name)
	if err != nil {
		return nil, err
	}
	ends, err := listed(adm.ListEndOffsets(ctx, topic.Name))
	if err != nil {
		return nil, err
	}
	c := counting{report: report}
	return report, m.newMeter("counting dead letters", m.newScreen()).during(ctx, c.reading, func() error {
		return c.run(ctx, cl, starts, ends, from)
	})
}

// counting is a count of dead letters under way, in offsets.
type counting struct {
	report      *lettersReport
	done, total atomic.Int64
}

func (c *counting) run(ctx context.Context, cl *kgo.Client, starts, ends kadm.ListedOffsets, from startPoint) error {
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok {
			c.total.Add(end.Offset - start.Offset)
		}
	})
	count := from.after(c.count)
	for _, end := range ends.Offsets().Sorted() {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok {
			continue // it was added in between
		}
		before := c.done.Load()
		err := readKept(ctx, cl, end.Topic, end.Partition, start.Offset, end.At, func(r *kgo.Record) error {
			c.done.Store(before + r.Offset - start.Offset)
			return count(r)
		})
		if err != nil {
			return fmt.Errorf("counting dead letters (--dead-letters none leaves them out): %w", err)
		}
		c.done.Store(before + end.At - start.Offset)
	}
	return nil
}

// readKept reads what a topic's retention leaves of a range of offsets.
func readKept(ctx context.Context, cl *kgo.Client, topic string, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	for from < to {
		err := kafka.ReadPartition(ctx, cl, topic, partition, from, to, fn)
		var gone *kafka.OutOfRangeError
		if !errors.As(err, &gone) || gone.Start <= gone.Offset {
			return err
		}
		from = gone.Start
	}
	return nil
}

func (c *counting) count(r *kgo.Record) error {
	reason := unknownReason
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderErrorReason {
			reason = string(h.Value) // that which was added last
		}
	}
	c.report.Reasons[reason]++
	return nil
}

// reading is for a meter.
func (c *counting) reading() (reading, bool) {
	done, total := c.done.Load(), c.total.Load()
	return reading{
		done: done, total: total, doing: "counting dead letters",
		words:      fmt.Sprintf("%s of %s", humanCount(done), humanCount(total)),
		attributes: []any{"offsets", done, "of", total},
	}, true
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/deadletter"
	"traitstream/kafka"
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

// countLetters counts the dead letters by reason; nil is not counted.
func (m *Main) countLetters(ctx context.Context, cl *kgo.Client, topic kafka.Topic, which letters, now time.Time) (*lettersReport, error) {
	report := &lettersReport{Reasons: map[string]int64{}}
	reader := &deadletter.Reader{Client: cl, Topic: topic.Name}
	switch {
	case which.text == lettersNone:
		return nil, nil
	case which.last > 0:
		reader.Since = ago(which.last, now)
		report.Since = &reader.Since
	}
	if topic.Missing {
		return report, nil
	}
	err := m.newMeter("counting dead letters", m.newScreen()).during(ctx, readingLetters(reader, "counting dead letters"), func() error {
		return reader.Read(ctx, func(r *kgo.Record) error {
			report.Reasons[deadletter.Parse(r).Why()]++
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("counting dead letters (--dead-letters none leaves them out): %w", err)
	}
	return report, nil
}

// ago returns the second that lies so far before now, but not before the times
// that Kafka knows.
func ago(d time.Duration, now time.Time) time.Time {
	at := now.Add(-d).UTC().Truncate(time.Second)
	if first := time.Unix(0, 0).UTC(); at.Before(first) {
		return first
	}
	return at
}

// readingLetters is for a meter.
func readingLetters(r *deadletter.Reader, doing string) func() (reading, bool) {
	return func() (reading, bool) {
		done, total := r.Progress()
		return reading{
			done: done, total: total, doing: doing,
			words:      fmt.Sprintf("%s of %s", humanCount(done), humanCount(total)),
			attributes: []any{"offsets", done, "of", total},
		}, true
	}
}

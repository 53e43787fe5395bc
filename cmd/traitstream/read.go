package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

const (
	fromStart = "start"
	fromEnd   = "end"
)

// startPoint is the value of --from: start, end or a time. Left out it is end.
type startPoint struct {
	text string
	at   time.Time
}

func (s *startPoint) String() string { return s.text }

func (s *startPoint) Set(text string) (err error) {
	if text != fromStart && text != fromEnd {
		if s.at, err = parseMoment(text); err != nil {
			return fmt.Errorf("it is start, end or a time: %w", err)
		}
	}
	s.text = text
	return nil
}

func (*startPoint) Type() string { return "start|end|TIME" }

// offset returns the point for a consumer.
func (s *startPoint) offset() kgo.Offset {
	switch {
	case s.text == fromStart:
		return kgo.NewOffset().AtStart()
	case !s.at.IsZero():
		return kgo.NewOffset().AfterMilli(s.at.UnixMilli())
	}
	return kgo.NewOffset().AtEnd()
}

// list returns the point in each partition of a topic.
func (s *startPoint) list(ctx context.Context, adm *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	switch {
	case s.text == fromStart:
		return listed(adm.ListStartOffsets(ctx, topic))
	case !s.at.IsZero():
		return listed(adm.ListOffsetsAfterMilli(ctx, s.at.UnixMilli(), topic))
	}
	return listed(adm.ListEndOffsets(ctx, topic))
}

// after leaves out the records of each partition that come before the first one
// at the time: the broker counts what was aborted, and the ends of transactions,
// when it looks for that.
func (s *startPoint) after(fn func(*kgo.Record) error) func(*kgo.Record) error {
	if s.at.IsZero() {
		return fn
	}
	begun := map[int32]bool{}
	return func(r *kgo.Record) error {
		if !begun[r.Partition] && r.Timestamp.Before(s.at) {
			return nil
		}
		begun[r.Partition] = true
		return fn(r)
	}
}

// listed looks for errors of single partitions too.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up offsets: %w", kafka.Explain(err))
	}
	return offsets, nil
}

// readTopic calls fn for each committed record that stands in a topic now,
// beginning at a point: one partition after the other, in the order of offsets.
func readTopic(ctx context.Context, cl *kgo.Client, topic string, from startPoint, fn func(*kgo.Record) error) error {
	adm := kadm.NewClient(cl)
	starts, err := from.list(ctx, adm, topic)
	if err != nil {
		return err
	}
	ends, err := listed(adm.ListEndOffsets(ctx, topic))
	if err != nil {
		return err
	}
	fn = from.after(fn)
	for _, end := range ends.Offsets().Sorted() {
		start, ok := starts.Lookup(topic, end.Partition)
		if !ok {
			continue // it was added in between
		}
		if err := kafka.ReadPartition(ctx, cl, topic, end.Partition, start.Offset, end.At, fn); err != nil {
			return err
		}
	}
	return nil
}

package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// ErrStop ends Read, without an error, when the function that it calls returns it.
var ErrStop = errors.New("stop reading")

// Reader reads what a topic holds now.
type Reader struct {
	Client *kgo.Client
	Topic  string
	Since  time.Time // leaves out what is older; zero: nothing

	done, total atomic.Int64
}

// Read calls fn for each committed record, one partition after the other, in the
// order of offsets. What the topic's retention takes away meanwhile is left out.
func (r *Reader) Read(ctx context.Context, fn func(*kgo.Record) error) error {
	r.done.Store(0)
	starts, ends, err := r.bounds(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(r.Topic, end.Partition); ok {
			total += end.Offset - start.Offset
		}
	})
	r.total.Store(total)
	for _, end := range ends.Offsets().Sorted() {
		start, ok := starts.Lookup(r.Topic, end.Partition)
		if !ok {
			continue // it was added in between
		}
		before := r.done.Load()
		err := readKept(ctx, r.Client, r.Topic, end.Partition, start.Offset, end.At, func(rec *kgo.Record) error {
			r.done.Store(before + rec.Offset - start.Offset)
			if rec.Timestamp.Before(r.Since) {
				return nil
			}
			return fn(rec)
		})
		switch {
		case errors.Is(err, ErrStop):
			return nil
		case err != nil:
			return err
		}
		r.done.Store(before + end.At - start.Offset)
	}
	return nil
}

// Progress returns how far Read is, in offsets. It may be called meanwhile.
func (r *Reader) Progress() (done, total int64) { return r.done.Load(), r.total.Load() }

// bounds returns where to begin and to end in each partition.
func (r *Reader) bounds(ctx context.Context) (starts, ends kadm.ListedOffsets, err error) {
	adm := kadm.NewClient(r.Client)
	if r.Since.IsZero() {
		starts, err = listed(adm.ListStartOffsets(ctx, r.Topic))
	} else {
		starts, err = listed(adm.ListOffsetsAfterMilli(ctx, r.Since.UnixMilli(), r.Topic))
	}
	if err == nil {
		ends, err = listed(adm.ListEndOffsets(ctx, r.Topic))
	}
	return starts, ends, err
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

package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
	"traitstream/schemas"
)

// Input tells how far the group is with a partition that it reads.
type Input struct {
	Topic     string
	Partition int32
	Committed int64              // the offset at which the group goes on; -1: nothing is committed
	Note      schemas.OffsetNote // beside the committed offset; zero where there is none
	End       int64              // the last stable offset, exclusive
	Lag       int64              // offsets up to End, from the first unprocessed record on
	Oldest    time.Time          // the timestamp of that record; zero when caught up
}

// inputSlots bounds how many partitions are read at once for their first record.
const inputSlots = 16

// Inputs tells how far the group is with every partition of the sources and of the
// inbox, by topic and number. An error names what could not be asked for.
func (f *Fleet) Inputs(ctx context.Context) ([]Input, error) {
	m, err := f.Measure(ctx)
	if err == nil {
		err = m.Failed()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up how far group %s is: %w", f.Config.Group(), kafka.Explain(err))
	}
	inputs, err := m.Inputs(ctx, func(string, int32) bool { return true })
	slices.SortFunc(inputs, func(a, b Input) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return inputs, err
}

// Inputs tells how far the group is with those that are wanted.
func (m *Measurement) Inputs(ctx context.Context, wanted func(topic string, number int32) bool) ([]Input, error) {
	var inputs []Input
	m.End.Each(func(end kadm.ListedOffset) {
		if wanted(end.Topic, end.Partition) {
			inputs = append(inputs, m.input(end))
		}
	})
	return inputs, m.lags(ctx, inputs)
}

// Failed returns what the brokers could not tell of single partitions.
func (m *Measurement) Failed() error { return cmp.Or(m.Start.Error(), m.End.Error()) }

// input returns what the offsets alone tell of a partition.
func (m *Measurement) input(end kadm.ListedOffset) Input {
	in := Input{Topic: end.Topic, Partition: end.Partition, End: end.Offset, Committed: -1}
	if c, ok := m.Committed.Lookup(end.Topic, end.Partition); ok && c.At >= 0 {
		in.Committed = c.At
		if note, ok := schemas.ParseOffsetNote(c.Metadata); ok {
			in.Note = note
		}
	}
	return in
}

// lags looks for the first unprocessed record of each input, several at a time.
func (m *Measurement) lags(ctx context.Context, inputs []Input) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, inputSlots)
	var looking sync.WaitGroup
	for i := range inputs {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			in := &inputs[i]
			var err error
			if in.Lag, in.Oldest, err = m.Lag(ctx, in.Topic, in.Partition); err != nil {
				cancel(fmt.Errorf("looking for the oldest unprocessed record: %w", err))
			}
		})
	}
	looking.Wait()
	return context.Cause(ctx)
}

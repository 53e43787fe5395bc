package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
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

// Inputs tells how far the group of a configuration is with every partition of
// its sources and of the inbox, by topic and number. It asks the brokers alone,
// so it works from outside the group, with nobody in it too; the topics must
// exist. An error names what could not be asked for.
func Inputs(ctx context.Context, cl *kgo.Client, cfg *config.Config, topics *kafka.Topics) ([]Input, error) {
	o := &Options{Client: cl, Config: cfg, Topics: topics}
	m, err := o.measure(ctx)
	if err == nil {
		err = m.failed()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up how far group %s is: %w", cfg.Group(), kafka.Explain(err))
	}
	inputs, err := m.inputs(ctx, func(string, int32) bool { return true })
	slices.SortFunc(inputs, func(a, b Input) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return inputs, err
}

// inputs tells how far the group is with those that are wanted.
func (m *measurement) inputs(ctx context.Context, wanted func(topic string, number int32) bool) ([]Input, error) {
	var inputs []Input
	m.end.Each(func(end kadm.ListedOffset) {
		if wanted(end.Topic, end.Partition) {
			inputs = append(inputs, m.input(end))
		}
	})
	return inputs, m.lags(ctx, inputs)
}

// failed returns what the brokers could not tell of single partitions.
func (m *measurement) failed() error {
	err := m.committed.Error()
	if errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined it yet
		err = nil
	}
	return cmp.Or(err, m.start.Error(), m.end.Error())
}

// input returns what the offsets alone tell of a partition.
func (m *measurement) input(end kadm.ListedOffset) Input {
	in := Input{Topic: end.Topic, Partition: end.Partition, End: end.Offset, Committed: -1}
	if c, ok := m.committed.Lookup(end.Topic, end.Partition); ok && c.At >= 0 {
		in.Committed = c.At
		if note, ok := schemas.ParseOffsetNote(c.Metadata); ok {
			in.Note = note
		}
	}
	return in
}

// lags looks for the first unprocessed record of each input, several at a time.
func (m *measurement) lags(ctx context.Context, inputs []Input) error {
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
			if in.Lag, in.Oldest, err = m.lag(ctx, in.Topic, in.Partition); err != nil {
				cancel(fmt.Errorf("looking for the oldest unprocessed record: %w", err))
			}
		})
	}
	looking.Wait()
	return context.Cause(ctx)
}

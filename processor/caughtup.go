package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// caughtUpInterval is how often WaitUntilCaughtUp looks.
const caughtUpInterval = 100 * time.Millisecond

// WaitUntilCaughtUp returns when every impression that stands in the sources
// now, forwarded ones included, is merged and committed by the group as a whole.
// It returns nil too when ctx ends first.
func (p *Processor) WaitUntilCaughtUp(ctx context.Context) error {
	var sources []string
	for _, s := range p.o.Config.Sources {
		sources = append(sources, s.Topic)
	}
	// First the sources, then what they have made the group forward: a
	// forwarded record is committed together with its source's offset.
	for _, topics := range [][]string{sources, {p.o.Topics.Inbox.Name}} {
		if err := p.o.waitFor(ctx, topics); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// waitFor waits until the group has committed all that stands in some topics.
func (o *Options) waitFor(ctx context.Context, topics []string) error {
	w := o.newWaiting(topics...)
	for {
		err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that the wait is given up is no failure of it
		case err != nil && !retriable(err):
			return fmt.Errorf("looking up how far group %s is: %w", o.Config.Group(), kafka.Explain(err))
		case err == nil && len(w.behind) == 0:
			return nil
		case !sleep(ctx, caughtUpInterval):
			return nil
		}
	}
}

// waiting is a wait for partitions to be committed up to an end.
type waiting struct {
	o      *Options
	topics []string
	behind kadm.Offsets // ends that are not reached; nil before the first look
	places kadm.Offsets // of the look before
}

func (o *Options) newWaiting(topics ...string) *waiting {
	return &waiting{o: o, topics: topics, places: kadm.Offsets{}}
}

// look takes out of behind the partitions that the group is done with.
func (w *waiting) look(ctx context.Context) error {
	if w.behind == nil {
		end, err := kadm.NewClient(w.o.Client).ListEndOffsets(ctx, w.topics...)
		if err == nil {
			err = end.Error()
		}
		if err != nil {
			return err
		}
		w.behind = end.Offsets()
	}
	m, err := w.o.measure(ctx)
	if err != nil {
		return err
	}
	for topic, partitions := range w.behind {
		for partition, end := range partitions {
			done, err := w.reached(ctx, m, topic, partition, end.At)
			if err != nil {
				return err
			}
			if done {
				delete(partitions, partition)
			}
		}
		if len(partitions) == 0 {
			delete(w.behind, topic)
		}
	}
	return nil
}

// nearEnd is how many offsets before the end are looked at for records at once.
const nearEnd = 100

// reached tells whether no impression is left before an offset. A group that
// still moves, far from the end, is not asked to be read after.
func (w *waiting) reached(ctx context.Context, m *measurement, topic string, partition int32, end int64) (bool, error) {
	from := m.place(topic, partition)
	if from >= end {
		return true, nil
	}
	before, _ := w.places.Lookup(topic, partition)
	w.places.AddOffset(topic, partition, from, -1)
	if before.At != from && end-from > nearEnd {
		return false, nil
	}
	first, err := w.o.firstRecord(ctx, topic, partition, from, end)
	return err == nil && first == nil, err
}

package fleet

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
func (f *Fleet) WaitUntilCaughtUp(ctx context.Context) error {
	// First the sources, then what they have made the group forward: a
	// forwarded record is committed together with its source's offset.
	for _, topics := range [][]string{f.Sources(), {f.Topics.Inbox.Name}} {
		if err := f.waitFor(ctx, topics); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// waitFor waits until the group has committed all that stands in some topics.
func (f *Fleet) waitFor(ctx context.Context, topics []string) error {
	w := f.Wait(topics...)
	for {
		done, err := w.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that the wait is given up is no failure of it
		case err != nil && !kafka.IsRetriable(err):
			return fmt.Errorf("looking up how far group %s is: %w", f.Config.Group(), kafka.Explain(err))
		case err == nil && done:
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(caughtUpInterval):
		}
	}
}

// Waiting is a wait for partitions to be committed up to where they end at its first look.
type Waiting struct {
	fleet  *Fleet
	topics []string
	behind kadm.Offsets // ends that are not reached; nil before the first look
	places kadm.Offsets // of the look before
}

// Wait begins a wait for all that stands in some topics.
func (f *Fleet) Wait(topics ...string) *Waiting {
	return &Waiting{fleet: f, topics: topics, places: kadm.Offsets{}}
}

// Look tells whether the group is done with all of it.
func (w *Waiting) Look(ctx context.Context) (done bool, err error) {
	err = w.look(ctx)
	return err == nil && len(w.behind) == 0, err
}

// look takes out of behind the partitions that the group is done with.
func (w *Waiting) look(ctx context.Context) error {
	if w.behind == nil {
		end, err := kadm.NewClient(w.fleet.Client).ListEndOffsets(ctx, w.topics...)
		if err == nil {
			err = end.Error()
		}
		if err != nil {
			return err
		}
		w.behind = end.Offsets()
	}
	m, err := w.fleet.Measure(ctx)
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
func (w *Waiting) reached(ctx context.Context, m *Measurement, topic string, partition int32, end int64) (bool, error) {
	from := m.Place(topic, partition)
	if from >= end {
		return true, nil
	}
	before, _ := w.places.Lookup(topic, partition)
	w.places.AddOffset(topic, partition, from, -1)
	if before.At != from && end-from > nearEnd {
		return false, nil
	}
	first, err := w.fleet.FirstRecord(ctx, topic, partition, from, end)
	return err == nil && first == nil, err
}

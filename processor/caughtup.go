package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
	var behind kadm.Offsets
	for {
		err := o.look(ctx, topics, &behind)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !retriable(err):
			return fmt.Errorf("looking up how far the group is: %w", err)
		case err == nil && len(behind) == 0:
			return nil
		case !sleep(ctx, caughtUpInterval):
			return nil
		}
	}
}

// look takes out of behind, which the first look fills, the partitions that the
// group is done with.
func (o *Options) look(ctx context.Context, topics []string, behind *kadm.Offsets) error {
	if *behind == nil {
		end, err := kadm.NewClient(o.Client).ListEndOffsets(ctx, topics...)
		if err == nil {
			err = end.Error()
		}
		if err != nil {
			return err
		}
		*behind = end.Offsets()
	}
	m, err := o.measure(ctx)
	if err != nil {
		return err
	}
	for topic, partitions := range *behind {
		for partition, end := range partitions {
			done, err := m.reached(ctx, topic, partition, end.At)
			if err != nil {
				return err
			}
			if done {
				delete(partitions, partition)
			}
		}
		if len(partitions) == 0 {
			delete(*behind, topic)
		}
	}
	return nil
}

// reached tells whether no impression is left before an offset.
func (m *measurement) reached(ctx context.Context, topic string, partition int32, end int64) (bool, error) {
	from := m.place(topic, partition)
	if from >= end {
		return true, nil
	}
	first, err := m.o.firstRecord(ctx, topic, partition, from, end)
	return err == nil && first == nil, err
}

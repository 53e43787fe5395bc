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
	target, err := kadm.NewClient(o.Client).ListEndOffsets(ctx, topics...)
	if err == nil {
		err = target.Error()
	}
	if err != nil {
		return ended(ctx, fmt.Errorf("looking up where topics end: %w", err))
	}
	behind := target.Offsets()
	for {
		m, err := o.measure(ctx)
		if err != nil {
			return ended(ctx, fmt.Errorf("looking up the group's offsets: %w", err))
		}
		for topic, partitions := range behind {
			for partition, end := range partitions {
				done, err := m.reached(ctx, topic, partition, end.At)
				if err != nil {
					return ended(ctx, err)
				}
				if done {
					delete(partitions, partition)
				}
			}
			if len(partitions) == 0 {
				delete(behind, topic)
			}
		}
		if len(behind) == 0 || !sleep(ctx, caughtUpInterval) {
			return nil
		}
	}
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

// ended returns no error where it comes from the context's end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

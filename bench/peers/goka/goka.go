// Package goka is the job on github.com/lovoo/goka, as its users would write it:
// at least once, with a table of users that holds all flags of each.
package goka

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/lovoo/goka/storage"
)

// Options are the contestant's.
type Options struct {
	Brokers              []string
	Group, Input, Output string
	Dir                  string // of the tables
}

// Run processes until ctx ends.
func Run(ctx context.Context, o Options) error {
	config := goka.DefaultConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Compression = sarama.CompressionLZ4
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Flush.Frequency = 5 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	goka.ReplaceGlobalConfig(config)

	topics := goka.NewTopicManagerConfig()
	topics.Table.Replication, topics.Stream.Replication = 1, 1
	graph := goka.DefineGroup(goka.Group(o.Group),
		goka.Input(goka.Stream(o.Input), impressionCodec{}, func(c goka.Context, msg any) { merge(c, msg, goka.Stream(o.Output)) }),
		goka.Output(goka.Stream(o.Output), new(codec.Bytes)),
		goka.Persist(userCodec{}),
	)
	p, err := goka.NewProcessor(o.Brokers, graph,
		goka.WithStorageBuilder(storage.DefaultBuilder(filepath.Join(o.Dir, "tables"))),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(config, topics)))
	if err != nil {
		return fmt.Errorf("setting up goka: %w", err)
	}
	if err := p.Run(ctx); err != nil {
		return fmt.Errorf("running goka: %w", err)
	}
	return nil
}

// merge merges an impression into the table of its user.
func merge(c goka.Context, msg any, output goka.Stream) {
	i := msg.(*impression)
	u, _ := c.Value().(*user)
	if u == nil {
		u = &user{}
	}
	t := u.trait(i.flag)
	if t == nil {
		u.traits = append(u.traits, userTrait{flag: i.flag})
		t = &u.traits[len(u.traits)-1]
	}
	if i.seenAt < t.seenAt || i.seenAt == t.seenAt && i.treatment <= t.treatment {
		return
	}
	previous := t.treatment
	t.seenAt, t.treatment = i.seenAt, i.treatment
	c.SetValue(u)
	if previous != i.treatment {
		c.Emit(output, i.changeKey(), i.change(previous, c))
	}
}

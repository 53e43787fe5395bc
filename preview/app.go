package preview

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// app is what the running app has made.
type app struct {
	// committed are the group's offsets of the sources, from before the traits were
	// read; nil: there are none, so nothing tells what it has processed.
	committed map[string]map[int32]int64
	waiting   int64 // forwarded impressions in the inbox that it has not come to
	there     bool  // it has a traits topic
	unread    atomic.Int64
}

// readApp reads what the app has forgotten and what it holds, if it is there.
func (p *preview) readApp(ctx context.Context) error {
	t := p.o.Topics
	p.table.app, p.table.markers = p.o.Config.App, map[schemas.MarkerKey]int64{}
	if err := p.findCommitted(ctx); err != nil {
		return err
	}
	if !t.Changelog.Missing {
		if err := p.readTopic(ctx, StageForgotten, t.Changelog.Name, p.marker); err != nil {
			return err
		}
	}
	if t.Traits.Missing {
		return nil
	}
	p.app.there = true
	return p.readTopic(ctx, StageHeld, t.Traits.Name, p.held)
}

// findCommitted looks up what the group has processed, and what waits in its inbox.
func (p *preview) findCommitted(ctx context.Context) error {
	wanted := map[string][]int32{}
	for name, t := range p.o.Topics.Sources {
		wanted[name] = numbers(t.Partitions)
	}
	inbox := p.o.Topics.Inbox
	wanted[inbox.Name] = numbers(inbox.Partitions)
	offsets, err := kafka.StableOffsets(ctx, p.o.Client, p.o.Config.Group(), wanted)
	if err != nil {
		return err
	}
	for name := range p.o.Topics.Sources {
		if len(offsets[name]) > 0 {
			p.app.committed = offsets
		}
	}
	if p.app.committed == nil || inbox.Missing {
		return nil
	}
	logs, err := kafka.Logs(ctx, p.o.Client, inbox.Name)
	if err != nil {
		return err
	}
	for number, log := range logs {
		from := max(log.From, offsets[inbox.Name][number])
		err := kafka.ReadPartition(ctx, p.o.Client, inbox.Name, number, from, log.To, func(r *kgo.Record) error {
			if isForwarded(r) {
				p.app.waiting++
			}
			return nil
		})
		// The app goes on and empties it.
		if gone := (*kafka.OutOfRangeError)(nil); err != nil && !errors.As(err, &gone) {
			return err
		}
	}
	return nil
}

// isForwarded tells whether a record of the inbox is an impression, and no command.
func isForwarded(r *kgo.Record) bool {
	_, err := schemas.ParseInboxHeaders(fleet.HeadersOf(r))
	return err == nil
}

func numbers(n int32) (all []int32) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// readTopic reads a topic of the app's, its partitions in parallel.
func (p *preview) readTopic(ctx context.Context, stage, topic string, fn func(*kgo.Record) error) error {
	logs, err := kafka.Logs(ctx, p.o.Client, topic)
	if err != nil {
		return err
	}
	c := &counter{tell: p.o.Progress, stage: stage}
	return kafka.ReadLogs(ctx, p.o.Client, topic, logs, p.readers, c.follow, fn)
}

// marker takes a record of the changelog, of which only those count that tell
// what was forgotten.
func (p *preview) marker(r *kgo.Record) error {
	if !schemas.IsTaskKey(r.Key) {
		return nil
	}
	key, ok := schemas.ParseMarkerKey(r.Key)
	if !ok {
		return nil
	}
	m, err := schemas.DecodeMarker(r.Value)
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.table.markers, key); err == nil {
		p.table.markers[key] = m.Until
	}
	return nil
}

// held takes a record of the traits topic. What can't be read is counted: verify
// tells more of it.
func (p *preview) held(r *kgo.Record) error {
	key, value, err := p.inJSON(r)
	if errors.Is(err, avro.ErrAway) {
		return fmt.Errorf("decoding %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if err == nil && value == nil {
		var k trait.Key
		if k, err = schemas.DecodeKey(key); err == nil {
			p.release(k)
		}
	} else if err == nil {
		var c schemas.Change
		if c, err = schemas.DecodeValue(value); err == nil && p.compares(&c) {
			p.hold(c.Key, c.Emission.Value, c.Emission.SeenAt, p.flagsOf(&c))
		}
	}
	if err != nil {
		p.app.unread.Add(1)
	}
	return nil
}

// inJSON returns key and value of the traits topic as JSON.
func (p *preview) inJSON(r *kgo.Record) (key, value []byte, err error) {
	if p.o.Avro == nil {
		return r.Key, r.Value, nil
	}
	if key, err = p.o.Avro.Key(r.Key); err == nil {
		value, err = p.o.Avro.Value(r.Value)
	}
	return key, value, err
}

// compares tells whether what is held is to be compared.
func (p *preview) compares(c *schemas.Change) bool {
	return p.o.Trait == "" || p.o.Trait == c.Emission.Facts.Definition || p.o.Trait == string(c.Key.Trait)
}

func (p *preview) release(k trait.Key) {
	hash := hashOf(k.Identity, k.User)
	s := p.table.lock(hash)
	defer s.mu.Unlock()
	s.release(hash, k)
}

func (p *preview) hold(k trait.Key, value []byte, seenAt int64, flags uint8) {
	hash := hashOf(k.Identity, k.User)
	s := p.table.lock(hash)
	if s.keeps(hash) {
		s.hold(hash, k, value, seenAt, flags)
	}
	full := p.table.full(s)
	s.mu.Unlock()
	if full {
		p.table.relieve(s)
	}
}

// flagsOf tells whether a held trait comes from history that is not read, and
// whether its definition is gone.
func (p *preview) flagsOf(c *schemas.Change) (flags uint8) {
	if p.from.before(c.Emission.Facts.Place) {
		flags |= lost
	}
	if p.isOrphan(c) {
		flags |= orphan
	}
	return flags
}

// isOrphan tells whether the definition of a held trait is gone, by its name where
// nothing else is known. If one that is computed anew may yield the trait from
// history that is there and is not read, its definition counts as one that stays.
func (p *preview) isOrphan(c *schemas.Change) bool {
	if p.o.Change == nil {
		return !p.o.Config.Set.Has(c.Emission.Facts.Definition)
	}
	rec := trait.Record{Emitted: c.Emission}
	rec.Emitted.Sent = true
	if p.o.Change.Keeps(c.Key.Trait, &rec) {
		return false
	}
	at := c.Emission.Facts.Place
	return p.start.before(at) || !p.from.before(at) || !p.o.Change.New.CanYield(string(c.Key.Trait))
}

// findStarts looks up where the history of the sources begins that is read.
func (p *preview) findStarts(ctx context.Context) error {
	p.from, p.start = offsets{}, offsets{}
	for name := range p.o.Topics.Sources {
		logs, err := kafka.Logs(ctx, p.o.Client, name)
		if err != nil {
			return err
		}
		var since kadm.ListedOffsets
		if !p.o.Since.IsZero() {
			since, err = kadm.NewClient(p.o.Client).ListOffsetsAfterMilli(ctx, p.o.Since.UnixMilli(), name)
			if err == nil {
				err = since.Error()
			}
			if err != nil {
				return fmt.Errorf("looking up where --since is in %s: %w", name, kafka.Explain(err))
			}
		}
		p.from[name], p.start[name] = map[int32]int64{}, map[int32]int64{}
		for number, log := range logs {
			p.from[name][number], p.start[name][number] = log.From, log.From
			if o, ok := since.Lookup(name, number); ok {
				p.from[name][number] = max(log.From, o.Offset)
			}
		}
	}
	return nil
}

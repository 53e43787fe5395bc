package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
)

// starts decides at which offsets a seat's partitions begin, and claims them:
// before anything of a partition is read, its offset is committed with a note of
// who reads it now, of which topic, and from where.
type starts struct {
	o      *Options
	ledger *ledger

	mu    sync.Mutex
	notes map[partition]schemas.OffsetNote // as they were fetched last
	begun map[string]map[string]bool       // the ids under which the client has seen each topic, or began to read it
}

func newStarts(o *Options, l *ledger) *starts {
	return &starts{o: o, ledger: l, notes: map[partition]schemas.OffsetNote{}, begun: map[string]map[string]bool{}}
}

// fetched is called by the client with the committed offsets of partitions that
// were assigned, before adjust.
func (s *starts) fetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	take := func(topic string, number int32, metadata *string) {
		delete(s.notes, partition{topic, number})
		if metadata == nil {
			return
		}
		if note, ok := schemas.ParseOffsetNote(*metadata); ok {
			s.notes[partition{topic, number}] = note
		}
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			take(t.Topic, p.Partition, p.Metadata)
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				take(t.Topic, p.Partition, p.Metadata)
			}
		}
	}
	return nil
}

// bounds are what the brokers tell of topics.
type bounds struct {
	first, end kadm.ListedOffsets
	ids        map[string]string
}

// adjust is called by the client with the committed offsets of partitions that
// were assigned. It gives a start to those that have none, and lets those go on
// whose place the source's retention has removed or whose topic is another one.
func (s *starts) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	if len(offsets) == 0 {
		return offsets, nil
	}
	b, err := s.o.bounds(ctx, slices.Collect(maps.Keys(offsets)))
	if err != nil {
		return nil, err
	}
	var claims, begun []span
	for topic, partitions := range offsets {
		fresh, err := s.fresh(ctx, topic, partitions, b)
		if err != nil {
			return nil, err
		}
		for number, offset := range partitions {
			p := partition{topic, number}
			at, noted, err := s.begin(p, offset.EpochOffset(), fresh[number], b)
			if err != nil {
				return nil, err
			}
			begun = append(begun, span{p, at})
			if moved := at != offset.EpochOffset(); moved || !noted {
				claims = append(claims, span{p, at})
				if moved {
					partitions[number] = kgo.NewOffset().At(at.Offset)
				}
			}
		}
	}
	if err := s.ledger.commit(ctx, claims); err != nil {
		return nil, fmt.Errorf("claiming partitions: %w", kafka.Explain(err))
	}
	s.ledger.stands(begun)
	for topic := range offsets {
		s.hasBegun(topic, b.ids[topic])
	}
	return offsets, nil
}

// bounds looks up where topics start and end, and their ids.
func (o *Options) bounds(ctx context.Context, topics []string) (b bounds, err error) {
	adm := kadm.NewClient(o.Client)
	if b.first, err = kafka.Told(adm.ListStartOffsets(ctx, topics...)); err != nil {
		return b, fmt.Errorf("looking up where topics start: %w", err)
	}
	if b.end, err = kafka.Told(adm.ListEndOffsets(ctx, topics...)); err != nil {
		return b, fmt.Errorf("looking up where topics end: %w", err)
	}
	b.ids, _, err = o.TopicIDs(ctx)
	return b, err
}

// begin returns where a partition begins, and whether the group has its note as
// it should be.
func (s *starts) begin(p partition, at kgo.EpochOffset, fresh int64, b bounds) (_ kgo.EpochOffset, noted bool, err error) {
	lo, err := kafka.Listed(b.first, p.topic, p.number)
	hi, endErr := kafka.Listed(b.end, p.topic, p.number)
	err = errors.Join(err, endErr)
	before, id := s.noteOf(p), b.ids[p.topic]
	another := fleet.OfAnother(before, id)
	note := before
	switch {
	case kerr.IsRetriable(err) && at.Offset >= 0 && !another:
		// It has no leader for the moment, which must not keep the others waiting.
		// If its place is gone, the read finds out.
	case err != nil:
		return at, false, err
	case at.Offset < 0:
		at = kgo.EpochOffset{Epoch: -1, Offset: max(fresh, lo.Offset)}
		note.Start = at.Offset
	case another, at.Offset > hi.Offset:
		s.o.Log.Warn("a topic was deleted and created again: it is read from its start",
			"topic", p.topic, "partition", p.number, "committed", at.Offset, "start", lo.Offset)
		at = kgo.EpochOffset{Epoch: -1, Offset: lo.Offset}
		note.Start, note.Mark = at.Offset, schemas.Mark{}
	case at.Offset < lo.Offset:
		s.skipped(p.topic, p.number, at.Offset, lo.Offset)
		at = kgo.EpochOffset{Epoch: -1, Offset: lo.Offset}
	}
	if mark, ok := s.ledger.markedNow(p); ok { // the restore was quicker than this
		note.Mark = mark
	}
	note.Owner = s.ledger.txnID
	if id != "" {
		note.Topic = id
	}
	s.ledger.note(p, note.String())
	return at, note == before, nil
}

// noteOf returns the note that was fetched with a partition's offset.
func (s *starts) noteOf(p partition) schemas.OffsetNote {
	s.mu.Lock()
	defer s.mu.Unlock()
	if note, ok := s.notes[p]; ok {
		return note
	}
	return schemas.OffsetNote{Start: -1}
}

// fresh returns where partitions without a committed offset start. A source's
// setting holds for partitions that the group finds when it first reads the
// source; those that are added later are read whole.
func (s *starts) fresh(ctx context.Context, topic string, partitions map[int32]kgo.Offset, b bounds) (map[int32]int64, error) {
	var without []int32
	for number, offset := range partitions {
		if offset.EpochOffset().Offset < 0 {
			without = append(without, number)
		}
	}
	source, ok := sourceOf(s.o.Config, topic)
	if !ok || len(without) == 0 || !source.From.Latest && source.From.At.IsZero() {
		return nil, nil
	}
	_, first := partitions[0]
	settled, err := s.settled(ctx, topic, without, first)
	if err != nil || len(settled) > 0 {
		return settled, err
	}
	adm := kadm.NewClient(s.o.Client)
	var at kadm.ListedOffsets
	if source.From.Latest {
		at, err = adm.ListEndOffsets(ctx, topic)
	} else {
		at, err = adm.ListOffsetsAfterMilli(ctx, source.From.At.UnixMilli(), topic)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up where %s starts: %w", topic, err)
	}
	return s.keep(ctx, topic, at, b.ids[topic])
}

// startsPatience is how long a member waits for the one that has a source's first
// partition to settle where all of them start.
const startsPatience = 10 * time.Second

// settled returns the starts that another member has committed. Who has the first
// partition does that: of two that did, the later would undo what the other has
// processed since.
func (s *starts) settled(ctx context.Context, topic string, without []int32, first bool) (map[int32]int64, error) {
	for deadline := time.Now().Add(startsPatience); ; {
		known, err := kadm.NewClient(s.o.Client).FetchOffsetsForTopics(ctx, s.o.Config.Group(), topic)
		if err != nil {
			return nil, fmt.Errorf("looking up the group's offsets: %w", err)
		}
		settled := settledStarts(known[topic], without)
		if len(settled) > 0 || first || time.Now().After(deadline) {
			return settled, nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// keep commits the starts of all of a topic's partitions, those of other members
// too: whoever comes a moment later must not take his for partitions that were
// added, and a restart before the first transaction must not choose again.
func (s *starts) keep(ctx context.Context, topic string, at kadm.ListedOffsets, id string) (map[int32]int64, error) {
	fresh := map[int32]int64{}
	var claims []span
	for number := range at[topic] {
		p := partition{topic, number}
		o, err := kafka.Listed(at, p.topic, p.number)
		if err != nil {
			return nil, err
		}
		fresh[number] = o.Offset
		claims = append(claims, span{p, kgo.EpochOffset{Epoch: -1, Offset: o.Offset}})
		s.ledger.note(p, schemas.OffsetNote{Owner: s.ledger.txnID, Topic: id, Start: o.Offset}.String())
	}
	if err := s.ledger.commit(ctx, claims); err != nil {
		return nil, fmt.Errorf("committing where %s starts: %w", topic, err)
	}
	return fresh, nil
}

// settledStarts returns the starts that another member has committed meanwhile.
// An entry that has none starts at 0; nothing is settled where all lack one.
func settledStarts(known map[int32]kadm.OffsetResponse, without []int32) map[int32]int64 {
	settled := map[int32]int64{}
	for _, o := range known {
		if o.At >= 0 {
			for _, number := range without {
				settled[number] = max(0, known[number].At)
			}
			return settled
		}
	}
	return nil
}

// goOn moves a partition whose place is gone to the start of what is left.
func (s *starts) goOn(ctx context.Context, topic string, number int32) error {
	first, err := kadm.NewClient(s.o.Client).ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("looking up where %s starts: %w", topic, err)
	}
	lo, err := kafka.Listed(first, topic, number)
	if kerr.IsRetriable(errors.Unwrap(err)) {
		return nil // the fetch fails again, and it is looked up again
	}
	if err != nil {
		return err
	}
	cl := s.ledger.consumer
	place := cl.UncommittedOffsets()[topic][number]
	if at, ok := cl.CommittedOffsets()[topic][number]; ok && place.Offset < at.Offset {
		place = at
	}
	if place.Offset < lo.Offset {
		s.skipped(topic, number, place.Offset, lo.Offset)
	}
	cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		topic: {number: {Epoch: -1, Offset: lo.Offset}},
	})
	return nil
}

func (s *starts) skipped(topic string, number int32, from, to int64) {
	s.o.Metrics.skippedRecords.Add(float64(to - from))
	s.o.Log.Warn("the topic's retention has removed records before they were read; going on at its start",
		"topic", topic, "partition", number, "committed", from, "start", to, "skipped", to-from)
}

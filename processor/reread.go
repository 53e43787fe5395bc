package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
)

// reread is what a restore has found in a task's inputs between their marks and
// the committed offsets: last-seen times that the changelog lacks.
type reread struct {
	state  *state.Overlay // has them as unlogged moves
	places map[partition]markedPlace
}

// markedPlace is what is committed of a partition that has a mark.
type markedPlace struct {
	at   kgo.EpochOffset
	mark schemas.Mark
	note schemas.OffsetNote
}

// reread reads a task's inputs again from their marks to the committed offsets,
// those of former sources too, by the rules of the marks. It comes after the
// restore, and emits nothing: what is more than a moved time was logged. Nil
// means that there was nothing to read.
func (o *restorer) reread(ctx context.Context, task int32) (*reread, error) {
	committed, err := kafka.StableCommits(ctx, o.Client, o.Config.Group(), func(_ string, number int32) bool { return number == task })
	if err != nil {
		return nil, fmt.Errorf("waiting for open transactions: %w", err)
	}
	r := &reread{state: o.Store.NewOverlay(), places: map[partition]markedPlace{}}
	committed.Each(func(c kadm.OffsetResponse) {
		note, _ := schemas.ParseOffsetNote(c.Metadata)
		if note.Mark != (schemas.Mark{}) && note.Mark.From < c.At {
			at := kgo.EpochOffset{Epoch: c.LeaderEpoch, Offset: c.At}
			r.places[partition{c.Topic, c.Partition}] = markedPlace{at, note.Mark, note}
		}
	})
	if len(r.places) == 0 {
		return nil, nil
	}
	if r.records() > shortRestore {
		select {
		case o.slots <- struct{}{}:
			defer func() { <-o.slots }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		began := time.Now()
		defer func() {
			o.Log.Info("last-seen times are read again", "task", task, "records", r.records(), "took", time.Since(began).Round(time.Millisecond).String())
		}()
	}
	return r, o.readAgain(ctx, r)
}

// records is about how many lie behind the marks.
func (r *reread) records() (n int64) {
	for _, place := range r.places {
		n += place.at.Offset - place.mark.From
	}
	return n
}

// readAgain reads what lies behind the marks, and leaves out places of topics
// that are gone.
func (o *restorer) readAgain(ctx context.Context, r *reread) error {
	var topics []string
	for p := range r.places {
		topics = append(topics, p.topic)
	}
	details, err := kadm.NewClient(o.Client).ListTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	for p, place := range r.places {
		there := details[p.topic]
		switch {
		case errors.Is(there.Err, kerr.UnknownTopicOrPartition), fleet.OfAnother(place.note, there.ID.String()):
			o.lost(p, place.at.Offset-place.mark.From)
			delete(r.places, p)
		case there.Err != nil:
			return fmt.Errorf("looking up topic %s: %w", p.topic, there.Err)
		default:
			if err := o.readPlace(ctx, r.state, p, place); err != nil {
				return fmt.Errorf("reading last-seen times again: %w", err)
			}
		}
	}
	return nil
}

// lost counts records that would have to be read again and are gone.
func (o *restorer) lost(p partition, records int64) {
	o.Metrics.lostRecords.Add(float64(records))
	o.Log.Warn("records are gone that had moved last-seen times not yet in the changelog; those traits keep earlier times",
		"topic", p.topic, "partition", p.number, "records", records)
}

// readPlace reads one partition from its mark, or from where its log begins.
func (o *restorer) readPlace(ctx context.Context, s *state.Overlay, p partition, place markedPlace) error {
	of, err := o.under(ctx, place.mark.Rules)
	if err != nil {
		return err
	}
	r := newRereader(of, s)
	for from, to := place.mark.From, place.at.Offset; from < to; {
		err := kafka.ReadPartition(ctx, o.Client, p.topic, p.number, from, to, r.add)
		var gone *kafka.OutOfRangeError
		switch {
		case err == nil:
			from = to
		case errors.As(err, &gone) && gone.Start > from:
			start := min(gone.Start, to)
			o.lost(p, start-from)
			from = start
		case errors.As(err, &gone) && gone.End >= 0 && gone.End < to: // the log has lost its end
			end := max(gone.End, from)
			o.lost(p, to-end)
			to = end
		default:
			return err
		}
	}
	return r.merge()
}

// rereader merges records in silence: they have been processed before, and what
// came of that is known but for last-seen times.
type rereader struct {
	in      *intake
	out     *outbox // goes nowhere
	tally   *tally
	state   *state.Overlay
	records []*kgo.Record
}

// rereadBatch is how many records are merged together.
const rereadBatch = 4096

func newRereader(o *Options, s *state.Overlay) *rereader {
	r := &rereader{tally: newTally(), state: s}
	r.out = newOutbox(o, r.tally, nil)
	r.in = newIntake(o, r.tally, r.out, s)
	return r
}

func (r *rereader) add(rec *kgo.Record) error {
	r.records = append(r.records, rec)
	if len(r.records) < rereadBatch {
		return nil
	}
	return r.merge()
}

func (r *rereader) merge() error {
	defer r.reset()
	for records := r.records; len(records) > 0; {
		n, err := r.in.decode(records)
		if err != nil {
			return err
		}
		records = records[n:]
		if err := r.state.Load(); err != nil {
			return fmt.Errorf("reading state: %w", err)
		}
		for i := range r.in.sightings {
			s := &r.in.sightings[i]
			r.state.MoveUnlogged(s.slot, &s.seen, math.MaxInt)
		}
	}
	return nil
}

func (r *rereader) reset() {
	clear(r.records)
	r.records = r.records[:0]
	r.in.reset()
	r.out.reset()
	r.tally.reset()
}

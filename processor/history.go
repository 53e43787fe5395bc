package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

const (
	// historyRecords and historyBytes bound what a reader of history hands over at
	// once, and so for how long live impressions wait for it.
	historyRecords = 1000
	historyBytes   = 1 << 20
	// goneLong is for how long a source must be gone, or another one have its name,
	// until that is for good.
	goneLong = 10 * time.Second
)

// history is what a reader hands over: a part of one of its share's ranges.
type history struct {
	reader  *historian
	place   int // of the range in the share
	records []*kgo.Record
	next    int64  // the offset to go on from
	gone    int64  // offsets that the source does not have any more
	failed  string // why nothing more can be read
}

// historian reads a share's ranges beside the loop.
type historian struct {
	o       *Options
	share   *share // the loop's: what is read here was copied
	id      string
	defines bool // it is for definitions
	task    int32
	ranges  []schemas.JobRange
	from    []int64
	limit   int             // of records handed over at once
	rate    float64         // records a second; 0: no bound
	ctx     context.Context //nolint:containedctx // its own, which cancel ends
	cancel  context.CancelFunc
	to      chan<- history
	wake    func()
	batch   history
	bytes   int
}

func (w *worker) newHistorian(s *share, rate float64) *historian {
	h := &historian{
		o: w.o, share: s, id: s.job.ID, defines: s.job.Emit == schemas.EmitDefine, task: s.task.number, ranges: s.ranges, from: slices.Clone(s.progress.Next),
		limit: min(historyRecords, w.limit), rate: rate, to: w.replays.ready, wake: w.tasks.wakeUp,
	}
	h.ctx, h.cancel = context.WithCancel(w.replays.ctx)
	return h
}

// run reads what is left of the share, until it is cancelled.
func (h *historian) run() {
	for i, r := range h.ranges {
		h.batch = history{reader: h, place: i, next: h.from[i]}
		gone := time.Time{} // since when the source is
		for failures := 0; h.batch.next < r.To; failures++ {
			err := h.read(r)
			if h.ctx.Err() != nil {
				return
			}
			if !isGone(err) {
				gone = time.Time{}
			} else if gone.IsZero() {
				gone = time.Now()
			} else if time.Since(gone) >= goneLong {
				if h.giveUp(r, err) != nil {
					return
				}
				continue
			}
			if err != nil {
				h.o.Log.Warn("history can't be read now; trying again", "job", h.id, "task", h.task,
					"cause", kafka.Explain(err), "in", backoff(failures).String())
				if !sleep(h.ctx, backoff(failures)) {
					return
				}
			}
		}
	}
}

// read reads a range from where it stands, or from where its log begins.
func (h *historian) read(r schemas.JobRange) error {
	if err := h.isThere(r); err != nil {
		return err
	}
	err := kafka.ReadPartition(h.ctx, h.o.Client, r.Topic, r.Partition, h.batch.next, r.To, h.add)
	var out *kafka.OutOfRangeError
	switch {
	case err == nil:
		return h.hand(r.To, 0)
	case errors.As(err, &out) && out.Start > h.batch.next:
		next := min(out.Start, r.To)
		return h.hand(next, next-h.batch.next)
	case errors.As(err, &out) && out.End >= 0 && out.End < r.To: // the log has lost its end
		return h.hand(r.To, r.To-max(out.End, h.batch.next))
	}
	h.batch.records, h.bytes = nil, 0 // they are read again
	return err
}

// errAnotherSource says that a source has the name of the one that is to be read alone.
var errAnotherSource = errors.New("the topic was deleted and created again")

func isGone(err error) bool {
	return errors.Is(err, errAnotherSource) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// isThere makes sure that the topic is still the one that a range is of: the offsets
// of another one mean nothing.
func (h *historian) isThere(r schemas.JobRange) error {
	id, err := h.o.TopicID(h.ctx, r.Topic)
	if err == nil && r.TopicID != "" && id != "" && id != r.TopicID {
		return fmt.Errorf("looking up %s: %w", r.Topic, errAnotherSource)
	}
	return err
}

// giveUp gives up a range whose source is gone for good. A job of definitions goes on with
// what there is, as where retention has removed history; another one has failed.
func (h *historian) giveUp(r schemas.JobRange, cause error) error {
	h.o.Log.Warn("history is gone with its source", "job", h.id, "task", h.task, "topic", r.Topic, "partition", r.Partition, "cause", cause)
	if h.defines {
		return h.hand(r.To, r.To-h.batch.next)
	}
	h.batch.failed = fmt.Sprintf("%s, partition %d, can't be read from offset %d on: %s", r.Topic, r.Partition, h.batch.next, cause)
	return errors.Join(h.hand(h.batch.next, 0), errAnotherSource)
}

func (h *historian) add(r *kgo.Record) error {
	h.batch.records = append(h.batch.records, r)
	h.bytes += len(r.Key) + len(r.Value)
	if len(h.batch.records) < h.most() && h.bytes < historyBytes {
		return nil
	}
	return h.hand(r.Offset+1, 0)
}

// most is how many records are handed over at once: half a second's at most.
func (h *historian) most() int {
	if h.rate == 0 {
		return h.limit
	}
	return max(1, min(h.limit, int(h.rate/2)))
}

// hand hands over what was read up to an offset.
func (h *historian) hand(next, gone int64) error {
	b := h.batch
	b.next, b.gone = next, gone
	h.batch.records, h.batch.next, h.bytes = nil, next, 0
	select {
	case h.to <- b:
		h.wake()
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
	if h.rate > 0 && !sleep(h.ctx, time.Duration(float64(len(b.records))/h.rate*float64(time.Second))) {
		return h.ctx.Err()
	}
	return nil
}

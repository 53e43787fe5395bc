package processor

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/state"
)

// restoreBatch bounds the batches in which a changelog enters the store, bytes.
const restoreBatch = 4 << 20

// restorer brings tasks up to date, those of all workers of a process.
type restorer struct {
	*Options

	mu    sync.Mutex
	going map[int32]*restoring
}

func newRestorer(o *Options) *restorer {
	return &restorer{Options: o, going: map[int32]*restoring{}}
}

// restoreWorthTelling is the number of offsets from which a restore is logged.
const restoreWorthTelling = 1000

// restore brings a task's state up to what has been committed for it, from its
// checkpoint where there is one. The order counts: first the committed offsets
// by stable fetch, which waits until the transaction of a previous owner is
// decided; then the high watermark of the changelog; then all up to it, by a
// reader that sees committed records alone. Stopping at the last stable offset
// would be wrong: EndTxn is answered before its markers are written.
func (o *restorer) restore(ctx context.Context, task int32) error {
	_, err := kafka.StableOffsets(ctx, o.Client, o.Config.Group(), o.partitions(task))
	if err != nil {
		return fmt.Errorf("waiting for open transactions: %w", err)
	}
	start, end, err := o.changelogRange(ctx, task)
	if err != nil {
		return err
	}
	from, err := o.restorePoint(task, start, end)
	if err != nil {
		return err
	}
	if from == end {
		return nil
	}
	r := restoring{o: o.Options, task: task, batch: o.Store.NewBatch(), end: end}
	if end-from > restoreWorthTelling {
		o.Log.Info("restoring state", "task", task, "from", from, "to", end)
	}
	if err := kafka.ReadPartition(ctx, o.Client, o.Topics.Changelog.Name, task, from, end, r.add); err != nil {
		return fmt.Errorf("reading the changelog: %w", err)
	}
	return r.finish()
}

// changelogRange returns a changelog partition's first offset and its high
// watermark.
func (o *Options) changelogRange(ctx context.Context, task int32) (start, end int64, err error) {
	adm, topic := kadm.NewClient(o.Client), o.Topics.Changelog.Name
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("looking up the start of %s: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("looking up the end of %s: %w", topic, err)
	}
	s, _ := starts.Lookup(topic, task)
	e, ok := ends.Lookup(topic, task)
	if !ok {
		return 0, 0, fmt.Errorf("topic %s has lost partition %d: was it created again?", topic, task)
	}
	return s.Offset, e.Offset, nil
}

// restorePoint returns where to read a task's changelog from. State that can't
// be brought up to date from its checkpoint is dropped first.
func (o *Options) restorePoint(task int32, start, end int64) (int64, error) {
	cp, ok, err := o.Store.Checkpoint(task)
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the checkpoint: %w", err)
	case ok && cp.Next > end:
		return 0, fmt.Errorf("the state in %s is ahead of the changelog (offset %d, but %s ends at %d): "+
			"the topic was created again or the state belongs to another cluster; "+
			"check both, and start once with --reset-state to rebuild the state from the topic",
			o.Config.State.Dir, cp.Next, o.Topics.Changelog.Name, end)
	case ok && cp.Next == end:
		return end, nil
	case ok && cp.Next >= start && time.Since(cp.Committed) < o.tombstonesKept():
		return cp.Next, nil
	}
	if err := o.Store.DropTask(task); err != nil {
		return 0, fmt.Errorf("dropping state that is too old: %w", err)
	}
	return start, nil
}

// tombstonesKept is how long the changelog keeps removals for sure; a state
// folder that was away for longer may hold what has been removed since.
func (o *Options) tombstonesKept() time.Duration {
	ms, err := strconv.ParseInt(o.Topics.Changelog.Config["delete.retention.ms"], 10, 64)
	if err != nil {
		return 24 * time.Hour
	}
	return time.Duration(ms) * time.Millisecond
}

// restoring is a task's restore under way.
type restoring struct {
	o     *Options
	task  int32
	batch *state.Batch
	bytes int
	count int
	end   int64
}

func (r *restoring) add(rec *kgo.Record) error {
	if rec.Value == nil {
		r.batch.Delete(r.task, rec.Key)
	} else {
		r.batch.Put(r.task, rec.Key, rec.Value)
	}
	r.count++
	if r.bytes += len(rec.Key) + len(rec.Value); r.bytes >= restoreBatch {
		return r.commit(rec.Offset + 1)
	}
	return nil
}

func (r *restoring) commit(next int64) error {
	r.batch.SetCheckpoint(r.task, state.Checkpoint{Next: next, Committed: time.Now()})
	if err := r.batch.Commit(); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	r.o.Metrics.restored.Add(float64(r.count))
	r.o.Metrics.restoreLeft.WithLabelValues(taskLabel(r.task)).Set(float64(r.end - next))
	r.bytes, r.count = 0, 0
	return nil
}

func (r *restoring) finish() error {
	return r.commit(r.end)
}

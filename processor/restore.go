package processor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
)

const (
	// restoreBytes bounds what a restore buffers between two writes to the store.
	restoreBytes = 32 << 20
	// restoreSlots bounds how many long restores run at once, and so their memory.
	restoreSlots = 4
	// shortRestore is the number of changelog offsets up to which a restore
	// waits for no slot and is not logged.
	shortRestore = 20_000
)

// restorer brings tasks up to date, those of all workers of a process.
type restorer struct {
	*Options
	slots chan struct{}

	mu    sync.Mutex
	going map[int32]*restoring
}

func newRestorer(o *Options) *restorer {
	return &restorer{
		Options: o, going: map[int32]*restoring{},
		slots: make(chan struct{}, min(restoreSlots, max(2, runtime.GOMAXPROCS(0)))),
	}
}

// restorePatiently repeats a restore that the brokers have failed, so that a
// partition without a leader costs the worker one task and not all.
func (o *restorer) restorePatiently(ctx context.Context, t *task) error {
	for failures := 0; ; failures++ {
		err := o.restore(ctx, t.number)
		if err == nil {
			t.reread, err = o.reread(ctx, t.number)
		}
		if err == nil {
			t.removals, err = o.removalsOf(t)
		}
		if err == nil || !retriable(err) {
			return err
		}
		o.Log.Warn("a task's state can't be restored now; trying again", "task", t.number, "cause", kafka.Explain(err), "in", backoff(failures).String())
		if !sleep(ctx, backoff(failures)) {
			return ctx.Err()
		}
	}
}

// restore brings a task's state up to what has been committed for it, from its
// checkpoint where there is one. The order counts: first the committed offsets
// by stable fetch, which waits until the transaction of a previous owner is
// decided; then the high watermark of the changelog; then all up to it, by a
// reader that sees committed records alone. Stopping at the last stable offset
// would be wrong: EndTxn is answered before its markers are written.
func (o *restorer) restore(ctx context.Context, task int32) error {
	if _, err := kafka.StableOffsets(ctx, o.Client, o.Config.Group(), o.partitions(task)); err != nil {
		return fmt.Errorf("waiting for open transactions: %w", err)
	}
	if err := o.checkState(ctx); err != nil {
		return err
	}
	start, end, err := o.changelogRange(ctx, task)
	if err != nil {
		return err
	}
	from, err := o.restorePoint(task, start, end)
	if err != nil || from.Next == end {
		return err
	}
	r := &restoring{restorer: o, task: task, from: from.Next, end: end, clock: from.Clock, began: time.Now()}
	r.next.Store(from.Next)
	return r.run(ctx)
}

// Names under which the state keeps the id of the topic that it is a copy of,
// and its number of tasks.
const (
	changelogMeta = "changelog"
	tasksMeta     = "tasks"
)

// checkState refuses state that is not of the changelog as it is: of one that was
// deleted, or of another number of tasks. Offsets can't tell: a topic that was
// created again may have grown beyond the checkpoints.
func (o *Options) checkState(ctx context.Context) error {
	changelog := o.Topics.Changelog.Name
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, changelog)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up %s: %w", changelog, err)
	}
	id, number := topics[changelog].ID.String(), strconv.Itoa(int(o.Topics.Tasks))
	if topics[changelog].ID == (kadm.TopicID{}) {
		id = "" // the broker tells none
	}
	before, err := o.adopt(changelogMeta, id)
	if err != nil {
		return err
	}
	if before != "" && id != "" && before != id {
		return fmt.Errorf("the state in %s is of a topic %s that was deleted and created again since: %w",
			o.Config.State.Dir, changelog, errAnotherChangelog)
	}
	if before, err = o.adopt(tasksMeta, number); err != nil {
		return err
	}
	if before != "" && before != number {
		return fmt.Errorf("the state in %s was made with %s tasks, but topic %s has %s partitions: %w",
			o.Config.State.Dir, before, changelog, number, errMoved)
	}
	return nil
}

// errMoved says that the number of tasks has changed.
var errMoved = errors.New("partitions that are added to the program's own topics move users to tasks that know nothing of them, " +
	"and whose changes would be sent again; name another app, whose topics are created anew")

// errAnotherChangelog says what to do with state that may be all that is left of
// its changelog.
var errAnotherChangelog = errors.New("keep a copy of the folder, which may be the only one of the state; " +
	"only where the topic holds all of the state, such as from a backup or since all topics were created anew, " +
	"start once with --reset-state, which rebuilds the state from the topic; " +
	"else changes would be sent again with previous null: to recompute all from the sources, start under a new app name")

// adopt keeps a value under a name where the state has none yet or is empty. It
// returns what was there otherwise.
func (o *Options) adopt(name, value string) (before string, err error) {
	kept, err := o.Store.Meta(name)
	if err != nil || string(kept) == value || value == "" {
		return string(kept), err
	}
	held, err := o.Store.Tasks()
	if err != nil || len(kept) > 0 && len(held) > 0 {
		return string(kept), err
	}
	if err := o.Store.SetMeta(name, []byte(value)); err != nil {
		return "", fmt.Errorf("writing state: %w", err)
	}
	return value, nil
}

// changelogRange returns a changelog partition's first offset and its high
// watermark.
func (o *Options) changelogRange(ctx context.Context, task int32) (start, end int64, err error) {
	return o.LogRange(ctx, o.Topics.Changelog.Name, task)
}

// restorePoint returns from where a task's changelog is to be read. State that
// can't be brought up to date from its checkpoint is dropped first.
func (o *Options) restorePoint(task int32, start, end int64) (state.Checkpoint, error) {
	cp, ok, err := o.Store.Checkpoint(task)
	switch {
	case err != nil:
		return cp, fmt.Errorf("reading the checkpoint: %w", err)
	case ok && cp.Next > end:
		return cp, fmt.Errorf("the state in %s is ahead of the changelog (offset %d, but %s ends at %d): "+
			"the topic was created again, has lost its end, or the state belongs to another cluster: %w",
			o.Config.State.Dir, cp.Next, o.Topics.Changelog.Name, end, errAnotherChangelog)
	case ok && (cp.Next == end || cp.Next >= start && time.Since(cp.Committed) < o.tombstonesKept()):
		return cp, nil
	}
	if err := o.Store.DropTask(task); err != nil {
		return cp, fmt.Errorf("dropping state that is too old: %w", err)
	}
	return state.Checkpoint{Next: start}, nil
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
	*restorer
	task      int32
	from, end int64 // changelog offsets
	clock     int64
	began     time.Time
	next      atomic.Int64 // the offset that is written next
	count     int          // records read since the last write
	checked   int          // records of which the place was checked
	illegible illegible
	loader    *state.Loader
}

func (r *restoring) run(ctx context.Context) error {
	r.mu.Lock()
	r.going[r.task] = r
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.going, r.task)
	}()
	long := r.end-r.from > shortRestore
	if long {
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
		r.Log.Info("restoring state", "task", r.task, "from", r.from, "to", r.end)
	}
	r.loader = r.Store.NewLoader(r.task, restoreBytes)
	defer r.loader.Close()
	if err := kafka.ReadPartition(ctx, r.Client, r.Topics.Changelog.Name, r.task, r.from, r.end, r.add); err != nil {
		return fmt.Errorf("reading the changelog: %w", err)
	}
	if err := r.illegible.err(r.Topics.Changelog.Name, r.task); err != nil {
		return err
	}
	if err := r.flush(r.end); err != nil {
		return err
	}
	if long {
		r.Log.Info("state is restored", "task", r.task, "offsets", r.end-r.from, "took", time.Since(r.began).Round(time.Millisecond).String())
	}
	return nil
}

// checkedPlaces is of how many records a restore checks that their users belong
// to the task: where partitions were added, some of few do not.
const checkedPlaces = 64

func (r *restoring) add(rec *kgo.Record) error {
	if r.checked < checkedPlaces {
		r.checked++
		key, err := schemas.DecodeStateKey(rec.Key)
		if err == nil && kafka.Partition(key.User, r.Topics.Tasks) != r.task {
			return fmt.Errorf("%s, partition %d, has a user who belongs to partition %d: %w",
				rec.Topic, r.task, kafka.Partition(key.User, r.Topics.Tasks), errMoved)
		}
	}
	switch {
	case !r.illegible.take(rec):
		if len(r.illegible.byKey) > mostIllegible {
			return r.illegible.err(rec.Topic, r.task)
		}
	case rec.Value == nil:
		r.loader.Delete(rec.Key)
	default:
		if schemas.IsClockKey(rec.Key) {
			ms, _ := schemas.DecodeClock(rec.Value) // legible
			r.clock = max(r.clock, ms)
		}
		r.loader.Put(rec.Key, rec.Value)
	}
	r.count++
	if r.loader.Full() {
		return r.flush(rec.Offset + 1)
	}
	return nil
}

// flush writes what was read, with the checkpoint that makes it count. That does
// not go beyond what can't be read, which the next start must find again.
func (r *restoring) flush(next int64) error {
	if err := r.loader.Flush(state.Checkpoint{Next: r.illegible.before(next), Clock: r.clock, Committed: time.Now()}); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	r.next.Store(next)
	r.Metrics.restored.Add(float64(r.count))
	r.Metrics.restoreLeft.WithLabelValues(taskLabel(r.task)).Set(float64(r.end - next))
	r.count = 0
	return nil
}

package processor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// tasks are those that the group has given to a worker. A task's inputs are
// paused from its assignment until its state is restored, which happens beside
// the loop while the other tasks go on.
type tasks struct {
	o        *Options
	owners   *owners
	restorer *restorer
	restored chan restored
	ctx      context.Context // of the restores
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	placed bool // whether the group has given an assignment, an empty one too
	owned  map[int32]*task
	// resumed are tasks whose restore has ended, until takeResumed.
	resumed []*task
	// beyond are the partitions beyond the tasks that are here, by the task that they
	// go with.
	beyond map[int32]map[string][]int32

	wakeMu sync.Mutex
	wake   func() // ends the poll that is under way
}

// task is one that a worker owns, from one assignment to its end.
type task struct {
	number int32
	ready  bool
	cancel context.CancelFunc
	done   chan struct{} // closed when its restore writes no more
	reread *reread       // what its restore has read again; nil: nothing
	// removals are what its restore has found; the loop's from then on.
	removals *removals
	// reached is the time up to which all that stood in the sources was read, ms since 1970.
	reached atomic.Int64
	// behind is how many records of its inputs are not read, and waits since when the
	// oldest of them has waited, ms since 1970.
	behind, waits atomic.Int64
}

// restored tells the loop that a task's restore has ended.
type restored struct {
	task *task
	err  error
}

func newTasks(o *Options, owners *owners, r *restorer) *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	return &tasks{
		o: o, owners: owners, restorer: r, ctx: ctx, cancel: cancel,
		restored: make(chan restored, o.Topics.Tasks),
		owned:    map[int32]*task{},
		beyond:   map[int32]map[string][]int32{},
		wake:     func() {},
	}
}

// assigned is called by the client when partitions come, before their committed
// offsets are fetched. The inbox's partition comes with a task; without it a
// task that is already here gets another input, such as a partition that its
// source has just been given.
func (t *tasks) assigned(_ context.Context, cl *kgo.Client, partitions map[string][]int32) {
	t.o.Metrics.rebalances.Inc()
	numbers := partitions[t.o.Topics.Inbox.Name]
	t.drop(numbers)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.placed = true
	defer t.wakeUp()
	defer t.holdBeyond(cl, partitions)
	if len(numbers) == 0 {
		return
	}
	fenced := make(chan struct{})
	t.running.Go(func() {
		defer close(fenced)
		t.restorer.fenceDead(t.ctx, numbers)
	})
	for _, number := range numbers {
		cl.PauseFetchPartitions(t.o.partitions(number))
		cl.PauseFetchPartitions(t.beyond[number])
		ctx, cancel := context.WithCancel(t.ctx)
		task := &task{number: number, cancel: cancel, done: make(chan struct{})}
		t.owned[number] = task
		t.running.Go(func() {
			t.owners.take(task)
			select {
			case <-fenced:
			case <-ctx.Done():
			}
			err := t.restorer.restorePatiently(ctx, task)
			if ctx.Err() != nil { // dropped, which resume knows, or overtaken
				err = errNotOwner
			}
			close(task.done)
			select {
			case t.restored <- restored{task, err}:
				t.wakeUp()
			case <-t.ctx.Done():
			}
		})
	}
}

// revoked is called by the client when partitions go, never between a poll and
// the apply of its batch.
func (t *tasks) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	t.drop(partitions[t.o.Topics.Inbox.Name])
	t.dropBeyond(partitions)
	t.wakeUp()
}

// drop forgets those of some tasks that are here. Their restores have ended on
// return: two of them must not write the same task's state. Others are not kept
// waiting meanwhile, since a restore may itself wait for a broker that is away.
func (t *tasks) drop(numbers []int32) {
	var dropped []*task
	t.mu.Lock()
	for _, number := range numbers {
		if task := t.owned[number]; task != nil {
			delete(t.owned, number)
			task.cancel()
			dropped = append(dropped, task)
		}
	}
	t.mu.Unlock()
	for _, task := range dropped {
		<-task.done
		t.owners.release(task)
		t.o.Metrics.forget(task.number)
	}
}

// resume lets the tasks run whose restore has ended.
func (t *tasks) resume(s *seat) error {
	for {
		select {
		case r := <-t.restored:
			if err := t.resumeTask(s, r); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// resumeTask lets a task run, unless it has gone since. One that another worker
// of the process has taken is still here: the group has given this one up, which
// has to join anew.
func (t *tasks) resumeTask(s *seat, r restored) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owned[r.task.number] != r.task {
		return nil
	}
	if r.err != nil {
		return fmt.Errorf("restoring task %d: %w", r.task.number, r.err)
	}
	r.task.ready = true
	t.resumed = append(t.resumed, r.task)
	s.consumer.ResumeFetchPartitions(t.o.partitions(r.task.number))
	s.consumer.ResumeFetchPartitions(t.beyond[r.task.number])
	return nil
}

// holdBeyond pauses partitions beyond the tasks until the task is restored that they
// go with: by its definitions they are read.
func (t *tasks) holdBeyond(cl *kgo.Client, partitions map[string][]int32) {
	for topic, numbers := range partitions {
		for _, number := range numbers {
			if number < t.o.Topics.Tasks {
				continue
			}
			with := number % t.o.Topics.Tasks
			if t.beyond[with] == nil {
				t.beyond[with] = map[string][]int32{}
			}
			t.beyond[with][topic] = append(t.beyond[with][topic], number)
			if task := t.owned[with]; task == nil || !task.ready {
				cl.PauseFetchPartitions(map[string][]int32{topic: {number}})
			} else {
				cl.ResumeFetchPartitions(map[string][]int32{topic: {number}}) // it may have been here before
			}
		}
	}
}

// dropBeyond forgets partitions beyond the tasks that go.
func (t *tasks) dropBeyond(partitions map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, numbers := range partitions {
		for _, of := range t.beyond {
			of[topic] = slices.DeleteFunc(of[topic], func(n int32) bool { return slices.Contains(numbers, n) })
		}
	}
}

// takeResumed returns the tasks that have been resumed since the last time.
func (t *tasks) takeResumed() []*task {
	t.mu.Lock()
	defer t.mu.Unlock()
	resumed := slices.DeleteFunc(t.resumed, func(task *task) bool { return t.owned[task.number] != task })
	t.resumed = nil
	return resumed
}

// ready tells whether there was an assignment and all of it is restored.
func (t *tasks) ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, task := range t.owned {
		if !task.ready {
			return false
		}
	}
	return t.placed
}

// waiting tells whether tasks wait for resume.
func (t *tasks) waiting() bool { return len(t.restored) > 0 }

// owns returns a task that is here and restored, else nil.
func (t *tasks) owns(number int32) *task {
	t.mu.Lock()
	defer t.mu.Unlock()
	if task := t.owned[number]; task != nil && task.ready {
		return task
	}
	return nil
}

// each calls fn for the tasks that are here.
func (t *tasks) each(fn func(number int32, ready bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for number, task := range t.owned {
		fn(number, task.ready)
	}
}

// wakes makes cancel end the poll under way when a restore has ended; the
// returned function takes it back.
func (t *tasks) wakes(cancel func()) func() {
	t.setWake(cancel)
	if len(t.restored) > 0 {
		cancel()
	}
	return func() { t.setWake(func() {}) }
}

func (t *tasks) setWake(wake func()) {
	t.wakeMu.Lock()
	defer t.wakeMu.Unlock()
	t.wake = wake
}

func (t *tasks) wakeUp() {
	t.wakeMu.Lock()
	defer t.wakeMu.Unlock()
	t.wake()
}

// forget drops every task, when the seat's clients are gone.
func (t *tasks) forget() {
	t.mu.Lock()
	numbers := slices.Collect(maps.Keys(t.owned))
	t.placed = false
	clear(t.beyond)
	t.mu.Unlock()
	t.drop(numbers)
}

// close ends the restores.
func (t *tasks) close() {
	t.cancel()
	t.running.Wait()
}

// partitions are a task's inputs.
func (o *Options) partitions(task int32) map[string][]int32 {
	p := map[string][]int32{}
	for _, topic := range o.InputTopics() {
		p[topic] = []int32{task}
	}
	return p
}

// Package processor runs the job: as members of a consumer group its workers
// read impressions, merge them into the last-seen state of their tasks, and
// write what changed, all in Kafka transactions.
//
// A task is a partition of the changelog. Its inputs are the partitions of the
// same number of every source and of the inbox, which the group's balancer
// keeps together. A worker merges the impressions of users that belong to the
// task it read them from, and forwards all others through the inbox to the task
// that they belong to, so what comes out does not depend on who owns what.
//
// The local store never runs ahead of Kafka: a batch is applied to it after its
// transaction has committed, together with the task's checkpoint. What a crash
// leaves out is read again from the changelog. DESIGN.md tells the rest.
package processor

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/state"
	"traitstream/trait"
)

// Options are what a Processor works with. All but Avro, Schemas, HTTP and Leave
// are required.
type Options struct {
	fleet.Fleet // its client is for restore, offsets and limits

	Traits  *trait.Set
	Store   *state.Store
	Connect []kgo.Opt // how to reach the brokers
	Metrics *Metrics
	Log     *slog.Logger
	// Instance names the process's seats in the group.
	Instance *Instance
	// Avro is how the traits topic is written; nil: in JSON.
	Avro *schemas.Avro
	// Schemas finds those of sources in Avro; nil where there never was one.
	Schemas avro.Lookup
	// HTTP is host:port where others reach the process, for them to know.
	HTTP string
	// Leave gives up the seats when Run ends, instead of keeping them for a
	// restart until the session times out.
	Leave bool

	reach *reach // of the sources
	// Generation is that of Traits.
	Generation uint32

	rules rules // by which the sources are read
	jobs  *jobs // that replay history

	// at, where a test has set it, hears of each boundary that a worker reaches.
	at func(worker int, b boundary) error
}

// Processor is one process's share of the group.
type Processor struct {
	o        Options
	owners   *owners
	restorer *restorer
	workers  []*worker
	unread   unread // the watch's
	// closing are the jobs that all tasks have done their part of; watchJobs's.
	closing map[string]*closing
}

// New returns a processor that has not joined the group yet.
func New(o Options) *Processor {
	p := &Processor{o: o, closing: map[string]*closing{}}
	p.o.reach, p.o.jobs = &reach{}, newJobs()
	p.owners, p.restorer = newOwners(o.Store), newRestorer(&p.o)
	for n := range Workers(o.Config, o.Topics.Tasks) {
		p.workers = append(p.workers, newWorker(&p.o, n, p.owners, p.restorer))
	}
	return p
}

// Workers returns how many workers a process has: what is configured or one per
// core, and no more than there are tasks, which a worker can't share.
func Workers(c *config.Config, tasks int32) int {
	n := c.Processor.Workers
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return max(1, min(n, int(tasks)))
}

// WaitUntilCaughtUp waits until the group as a whole has merged and committed all that
// stands in the sources now, or ctx ends.
func (p *Processor) WaitUntilCaughtUp(ctx context.Context) error { return p.o.WaitUntilCaughtUp(ctx) }

// Ready tells whether the group has given every worker an assignment, an empty
// one too, and all tasks are restored.
func (p *Processor) Ready() bool {
	for _, w := range p.workers {
		// Tasks may have come since its loop last came round.
		if !w.ready.Load() || !w.tasks.ready() {
			return false
		}
	}
	return true
}

// LastBeat tells when the loop last came round that has stood still longest.
func (p *Processor) LastBeat() time.Time {
	first := p.workers[0].beat.Load()
	for _, w := range p.workers {
		first = min(first, w.beat.Load())
	}
	return time.Unix(0, first)
}

// drainTimeout is how long a stop may take until open transactions are given
// up; they are then aborted and their input read again.
const drainTimeout = 4 * time.Second

// Run processes until ctx ends, then commits what it has read and returns nil.
// A broker that is away is waited for; an error is one that waiting can't mend.
func (p *Processor) Run(ctx context.Context) error {
	for _, w := range p.workers {
		w.beat.Store(time.Now().UnixNano())
	}
	stop, cancelStop := context.WithCancel(ctx)
	defer cancelStop()
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(stop, func() { time.AfterFunc(drainTimeout, cancel) })()

	if err := p.o.publishRules(stop); err != nil {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	if err := p.takeSeats(stop); err != nil {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	watch, unwatch := context.WithCancel(hard)
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(watch) })
	watching.Go(func() { p.watchJobs(watch) })
	watching.Go(func() { p.watchCommands(watch) })
	err := p.drain(stop, hard, cancelStop)
	unwatch()
	watching.Wait()
	if p.o.Leave && !errors.Is(err, errSeatTaken) { // by name, it would make the other one leave
		err = errors.Join(err, p.leave(hard, p.o.Instance.held))
	}
	return err
}

// stopGrace is how long a stop waits for the clients after it has given up the
// open transactions.
const stopGrace = 3 * time.Second

// errNotDrained says that a stop could not end the open transactions.
var errNotDrained = errors.New("stopped, but the brokers did not answer in time: " +
	"what was not committed is read again at the next start")

// drain runs the workers until they have stopped; an error of one stops all.
func (p *Processor) drain(stop, hard context.Context, cancelStop func()) error {
	ended := make(chan error, len(p.workers))
	for _, w := range p.workers {
		go func() {
			err := w.run(stop, hard)
			cancelStop()
			ended <- err
		}()
	}
	var errs []error
	var late <-chan time.Time
	given := hard.Done()
	for len(errs) < len(p.workers) {
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) && hard.Err() != nil {
				err = errNotDrained
			}
			errs = append(errs, err)
		case <-given:
			given, late = nil, time.After(stopGrace)
		case <-late:
			return errors.Join(append(errs, errNotDrained)...)
		}
	}
	return join(errs)
}

// join returns the errors of workers, each once: what ends one often ends all.
func join(errs []error) error {
	told := map[string]bool{}
	var once []error
	for _, err := range errs {
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			once = append(once, err)
		}
	}
	return errors.Join(once...)
}

// Package processor runs the job: as a member of a consumer group it reads
// impressions, merges them into the last-seen state of its tasks, and writes
// what changed, all in Kafka transactions.
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
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/state"
	"traitstream/trait"
)

// Options are what a Processor works with. All but Hooks are required.
type Options struct {
	Config  *config.Config
	Traits  *trait.Set
	Topics  *kafka.Topics
	Store   *state.Store
	Client  *kgo.Client // outside the group: for restore, offsets and limits
	Connect []kgo.Opt   // how to reach the brokers
	Metrics *Metrics
	Log     *slog.Logger
	// Instance is this process's seat: it names the group member and the
	// transactional id over restarts. Two live processes never share one.
	Instance string
	// Leave gives up the seat when Run ends, instead of keeping it for a restart
	// until the session times out.
	Leave bool
}

// Processor is one process's share of the group.
type Processor struct {
	o      Options
	worker *worker
	beat   atomic.Int64 // when the loop last came round, Unix ns
	ready  atomic.Bool
}

// New returns a processor that has not joined the group yet.
func New(o Options) *Processor {
	p := &Processor{o: o}
	p.worker = newWorker(&p.o, &p.beat, &p.ready)
	return p
}

// Ready tells whether the group has given an assignment, an empty one too, and
// its tasks are restored.
func (p *Processor) Ready() bool { return p.ready.Load() }

// LastBeat tells when the loop last came round.
func (p *Processor) LastBeat() time.Time { return time.Unix(0, p.beat.Load()) }

// drainTimeout is how long a stop may take until the open transaction is given
// up; it is then aborted and its input read again.
const drainTimeout = 4 * time.Second

// Run processes until ctx ends, then commits what it has read and returns nil.
// A broker that is away is waited for; an error is one that waiting can't mend.
func (p *Processor) Run(ctx context.Context) error {
	p.beat.Store(time.Now().UnixNano())
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drainTimeout, cancel) })
	defer stop()

	if err := p.rejoin(ctx); err != nil {
		return err
	}
	watch, unwatch := context.WithCancel(hard)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.watch(watch)
	}()
	err := p.drain(ctx, hard)
	unwatch()
	<-done
	if p.o.Leave {
		err = errors.Join(err, p.leave(hard))
	}
	return err
}

// stopGrace is how long a stop waits for the client after it has given up the
// open transaction.
const stopGrace = 500 * time.Millisecond

// errNotDrained says that a stop could not end the open transaction.
var errNotDrained = errors.New("stopped, but the brokers did not answer in time: " +
	"what was not committed is read again at the next start")

// drain runs the worker. With brokers that do not answer its client may take
// long to let go; a stop does not wait for that.
func (p *Processor) drain(ctx, hard context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- p.worker.run(ctx, hard) }()
	var err error
	select {
	case err = <-ended:
	case <-hard.Done():
		select {
		case err = <-ended:
		case <-time.After(stopGrace):
			return errNotDrained
		}
	}
	if errors.Is(err, context.Canceled) && hard.Err() != nil {
		return errNotDrained
	}
	return err
}

// inputsMeta is the name under which the state keeps the topics that the seat
// has last joined for.
const inputsMeta = "inputs"

// rejoin gives up the seat when the sources have changed since it was taken: the
// broker hands a static member that comes back its old assignment, without a
// rebalance, whatever it now wants to read.
func (p *Processor) rejoin(ctx context.Context) error {
	inputs := strings.Join(slices.Sorted(slices.Values(p.o.inputs())), ",")
	before, err := p.o.Store.Meta(inputsMeta)
	if err != nil {
		return fmt.Errorf("reading state: %w", err)
	}
	if string(before) == inputs {
		return nil
	}
	if before != nil {
		if err := p.leave(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // stopped: the next start leaves
			}
			return err
		}
	}
	if err := p.o.Store.SetMeta(inputsMeta, []byte(inputs)); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	return nil
}

// leave gives up the seat of a static member, which closing its client does not.
func (p *Processor) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	left, err := kadm.NewClient(p.o.Client).LeaveGroup(ctx, kadm.LeaveGroup(p.o.Config.Group()).
		Reason("stopped").InstanceIDs(p.o.Instance))
	if err == nil {
		err = left.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.UnknownMemberID) {
		return nil // it never got there
	}
	if err != nil {
		return fmt.Errorf("leaving group %s: %w", p.o.Config.Group(), err)
	}
	return nil
}

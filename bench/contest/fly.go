package contest

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/bench/cluster"
	"traitstream/bench/process"
	"traitstream/bench/workload"
)

// patience is how long changes that are due may stay away after the last event.
const patience = 15 * time.Second

// fly sends an input's events and fills in what is seen of their changes.
func (c *Court) fly(ctx context.Context, who *Contestant, in *Input, pace Pace, proc *process.Process, l *Latency) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() {
		select {
		case <-proc.Ended():
			fail(fmt.Errorf("it ended: %w", proc.Err()))
		case <-ctx.Done():
		}
	}()
	if err := c.Cluster.Await(ctx, who.Output); err != nil {
		return cause(ctx, err)
	}
	reader, err := c.Cluster.Reader(who.Output, kgo.NewOffset().AtStart())
	if err != nil {
		return err
	}
	defer reader.Close()
	f, began := newFlights(pace.WarmUp, pace.WarmUp+pace.Window), time.Now()
	go func() { fail(f.watch(ctx, reader, in.Params, began)) }()
	fed := make(chan error, 1)
	g := workload.NewGenerator(in.Params)
	go func() {
		fed <- c.Cluster.Feed(ctx, in.Topic(), in.Params, g, pace.Rate, func(e workload.Event) { f.sending(e, time.Since(began)) })
	}()
	if err := c.load(ctx, proc, began, pace, l); err != nil {
		return cause(ctx, err)
	}
	if err := <-fed; err != nil {
		return cause(ctx, err)
	}
	in.Digest = g.Digest()
	if err := f.await(ctx, in.Digest.Outputs); err != nil {
		return cause(ctx, err)
	}
	l.fill(f)
	return nil
}

// cause tells why a context has ended, which is more than that it has.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// watch notes when changes are seen, until ctx ends.
func (f *flights) watch(ctx context.Context, reader *kgo.Client, p workload.Params, began time.Time) error {
	for {
		fetches := reader.PollFetches(ctx)
		at := time.Since(began)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading changes: %w", err)
		}
		for _, r := range fetches.Records() {
			if r.Attrs.IsControl() {
				continue
			}
			e, err := p.Cause(r.Key, r.Value)
			if err == nil {
				err = f.landing(e, at)
			}
			if err != nil {
				return err
			}
		}
	}
}

// load measures what processors have to do in the window.
func (c *Court) load(ctx context.Context, proc *process.Process, began time.Time, pace Pace, l *Latency) error {
	if err := cluster.Sleep(ctx, time.Until(began.Add(pace.WarmUp))); err != nil {
		return err
	}
	from := c.toll(proc)
	if err := cluster.Sleep(ctx, pace.Window); err != nil {
		return err
	}
	to := c.toll(proc)
	percent := func(of time.Duration) float64 { return 100 * of.Seconds() / to.at.Sub(from.at).Seconds() }
	l.CPU, l.BrokerCPU = percent(to.contestant-from.contestant), percent(to.broker-from.broker)
	l.OtherCPU = max(0, percent(to.others-from.others)) // clocks of processes and of the machine differ by a tick
	return nil
}

// toll is the time that processors have spent until a moment.
type toll struct {
	at                         time.Time
	contestant, broker, others time.Duration
}

func (c *Court) toll(proc *process.Process) toll {
	t := toll{at: time.Now(), contestant: proc.CPU(), broker: c.brokerCPU()}
	all, _ := process.Busy()           // 0 where there is no /proc, as all of these
	own, _ := process.CPU(os.Getpid()) // the producer's and the reader's
	t.others = all - t.contestant - t.broker - own
	return t
}

// await waits until so many changes were seen, for as long as patience lasts: the
// check will tell what is missing.
func (f *flights) await(ctx context.Context, changes int64) error {
	for deadline := time.Now().Add(patience); f.seen() < changes && time.Now().Before(deadline); {
		if err := cluster.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

package contest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"traitstream/bench/cluster"
	"traitstream/bench/process"
	"traitstream/bench/workload"
)

// Pause is the longest time for which a task committed nothing: in some seconds
// before a process came to the group, and in some after.
type Pause struct {
	Task   int32         `json:"task"`
	Moved  bool          `json:"moved"`
	Before time.Duration `json:"before"`
	Pause  time.Duration `json:"pause"`
}

// Rebalance lets a second process with warm state come back to a group under
// load, and returns each task's pauses. The load is what the input holds, as fast
// as it goes, or so many more events a second of the same kind.
func (c *Court) Rebalance(ctx context.Context, who *Contestant, in *Input, rate int) ([]Pause, error) {
	s, err := c.Enter(ctx, who, in)
	if err != nil {
		return nil, err
	}
	second := *s
	second.Dir, second.Port = s.Dir+"-second", s.Port+1
	if err := os.RemoveAll(second.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(second.Dir, 0o700); err != nil {
		return nil, err
	}
	first, err := c.Start(who, s)
	if err != nil {
		return nil, err
	}
	defer first.Kill()
	if rate > 0 {
		stop, err := c.feed(ctx, in, rate)
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	if err := c.visit(ctx, who, in, &second); err != nil {
		return nil, err
	}
	before, err := c.pauses(ctx, who, in, 5*time.Second)
	if err != nil {
		return nil, err
	}
	back, err := c.Start(who, &second)
	if err != nil {
		return nil, err
	}
	defer back.Kill()
	after, err := c.pauses(ctx, who, in, 10*time.Second)
	for i := range after {
		after[i].Before = before[i].Pause
	}
	return after, err
}

// feed adds events to an input at a rate, from a generator of its own, until it
// is stopped. The input is then no longer what its digest tells.
func (c *Court) feed(ctx context.Context, in *Input, rate int) (stop func(), err error) {
	if err := in.Forget(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	p := in.Params
	p.Seed++
	p.Sweep, p.Events = false, 1<<32
	go func() {
		defer close(ended)
		if _, err := c.Cluster.Load(ctx, in.Topic(), p, workload.NewGenerator(p), p.Events, rate, func(int64) {}); err != nil && ctx.Err() == nil {
			c.Log("feeding: %v", err)
		}
	}()
	return func() { cancel(); <-ended }, nil
}

// visit lets a process take part for a while and leave.
func (c *Court) visit(ctx context.Context, who *Contestant, in *Input, s *Stage) error {
	spec, err := who.Spec(s)
	if err != nil {
		return err
	}
	spec.Args = append(spec.Args, "--leave")
	p, err := process.Start(spec)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := c.until(ctx, who, in, p, in.Records/20); err != nil {
		return err
	}
	if err := c.untilReady(ctx, p, s.Port); err != nil {
		return err
	}
	if err := cluster.Sleep(ctx, 3*time.Second); err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := p.Stop(stop); err != nil {
		return err
	}
	return cluster.Sleep(ctx, 3*time.Second) // the first one has all tasks again
}

// pauses watches the commits of each partition of the input.
func (c *Court) pauses(ctx context.Context, who *Contestant, in *Input, watch time.Duration) ([]Pause, error) {
	type place struct {
		offset int64
		owner  string
		since  time.Time
	}
	places, pauses := map[int32]place{}, map[int32]*Pause{}
	for deadline := time.Now().Add(watch); time.Now().Before(deadline); {
		committed, err := c.Cluster.Admin.FetchOffsetsForTopics(ctx, who.Group, in.Topic())
		if err != nil {
			return nil, fmt.Errorf("looking up the offsets of group %s: %w", who.Group, err)
		}
		now := time.Now()
		for _, o := range committed[in.Topic()] {
			before, known := places[o.Partition]
			if !known {
				pauses[o.Partition] = &Pause{Task: o.Partition}
			}
			p := pauses[o.Partition]
			if known && before.owner != o.Metadata {
				p.Moved = true
			}
			if !known || before.offset != o.At {
				if known {
					p.Pause = max(p.Pause, now.Sub(before.since))
				}
				before.offset, before.since = o.At, now
			}
			before.owner = o.Metadata
			places[o.Partition] = before
		}
		if err := cluster.Sleep(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	var all []Pause
	for _, p := range pauses {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Pause) int { return int(a.Task) - int(b.Task) })
	return all, nil
}

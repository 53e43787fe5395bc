package contest

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/bench/cluster"
)

// Crash kills a contestant at full load, over and over, and returns how long
// each start took until a committed output could be read: from the start of the
// process. The last check tells whether all came out right.
func (c *Court) Crash(ctx context.Context, who *Contestant, in *Input, times int) ([]time.Duration, *Result, error) {
	s, err := c.Enter(ctx, who, in)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.Start(who, s)
	if err != nil {
		return nil, nil, err
	}
	defer func() { p.Kill() }()
	if err := c.until(ctx, who, in, p, int64(in.Params.Users)*int64(in.Params.Flags)); err != nil {
		return nil, nil, err
	}
	var took []time.Duration
	for range times {
		p.Kill()
		first, err := c.firstOutput(ctx, who)
		if err != nil {
			return nil, nil, err
		}
		if p, err = c.Start(who, s); err != nil {
			return nil, nil, err
		}
		at, err := first()
		if err != nil {
			return nil, nil, err
		}
		took = append(took, at.Sub(p.Began))
		c.Log("%s, killed: an output %.2f s after its start", who.Name, took[len(took)-1].Seconds())
		if err := cluster.Sleep(ctx, 500*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
	r := &Result{Contestant: who.Name, Input: in.Name}
	if err := c.until(ctx, who, in, p, in.Records); err != nil {
		return nil, nil, err
	}
	return took, r, c.check(ctx, who, in, r)
}

// firstOutput returns what waits for the first committed output from now on.
func (c *Court) firstOutput(ctx context.Context, who *Contestant) (func() (time.Time, error), error) {
	ends, err := c.Cluster.Ends(ctx, who.Output)
	if err != nil {
		return nil, err
	}
	cl, err := c.Cluster.Reader(who.Output, kgo.NewOffset().AtEnd())
	if err != nil {
		return nil, err
	}
	return func() (time.Time, error) {
		defer cl.Close()
		for {
			fetches := cl.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return time.Time{}, fmt.Errorf("reading %s: %w", who.Output, err)
			}
			for _, r := range fetches.Records() {
				if !r.Attrs.IsControl() && r.Offset >= ends[r.Partition] {
					return time.Now(), nil
				}
			}
		}
	}, nil
}

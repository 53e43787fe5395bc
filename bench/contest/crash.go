package contest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/bench/cluster"
)

// Crashed is what being killed at full load came to.
type Crashed struct {
	Contestant string `json:"contestant"`
	Input      string `json:"input"`
	Keys       int64  `json:"keys"`
	// Seconds are from each start of the process to its first committed output,
	// the shortest first.
	Seconds []float64 `json:"seconds"`
	Check   string    `json:"check"` // "exact", or what differs
}

// Crash kills a contestant at full load, over and over, and returns how long
// each start took until a committed output could be read. The last check tells
// whether all came out right.
func (c *Court) Crash(ctx context.Context, who *Contestant, in *Input, times int) (*Crashed, error) {
	s, err := c.Enter(ctx, who, in)
	if err != nil {
		return nil, err
	}
	p, err := c.Start(who, s)
	if err != nil {
		return nil, err
	}
	defer func() { p.Kill() }()
	if err := c.until(ctx, who, in, p, int64(in.Params.Users)*int64(in.Params.Flags)); err != nil {
		return nil, err
	}
	out := &Crashed{Contestant: who.Name, Input: in.Name, Keys: in.Digest.Keys}
	for range times {
		p.Kill()
		first, err := c.firstOutput(ctx, who)
		if err != nil {
			return nil, err
		}
		if p, err = c.Start(who, s); err != nil {
			return nil, err
		}
		at, err := first()
		if err != nil {
			return nil, err
		}
		took := at.Sub(p.Began).Seconds()
		out.Seconds = append(out.Seconds, took)
		c.Log("%s, killed: an output %.2f s after its start", who.Name, took)
		if err := cluster.Sleep(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
	slices.Sort(out.Seconds)
	if err := c.until(ctx, who, in, p, in.Records); err != nil {
		return nil, err
	}
	r := &Result{}
	err = c.check(ctx, who, in, r)
	out.Check = r.Check
	return out, err
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
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // the input may have been too short
		defer cancel()
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

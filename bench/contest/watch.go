package contest

import (
	"context"
	"fmt"
	"time"

	"traitstream/bench/process"
)

// view is a run as it was seen, look by look.
type view struct {
	looks []look
	last  int // the look at which the output had moved last
}

// look is what is known at a moment of a run.
type look struct {
	at          time.Time
	done        int64 // records of the input that are committed
	out         int64 // the sum of the output's last stable offsets
	cpu, broker time.Duration
}

// settled is how long an output stands still once the input is committed.
const settled = time.Second

// watch follows a run until so many records of the input are committed and the
// output stands still.
func (c *Court) watch(ctx context.Context, who *Contestant, in *Input, p *process.Process, records int64) (*view, error) {
	v := &view{looks: []look{{at: p.Began, broker: c.brokerCPU()}}}
	for {
		l, err := c.look(ctx, who, in, p)
		if err != nil {
			return nil, err
		}
		v.looks = append(v.looks, l)
		before := v.looks[v.last]
		if l.out != before.out || who.Output == "" && l.done != before.done {
			v.last = len(v.looks) - 1
		}
		if l.done >= records && time.Since(v.looks[v.last].at) >= settled {
			return v, nil
		}
		select {
		case <-p.Ended():
			return nil, fmt.Errorf("it ended at %d of %d records: %w", l.done, in.Records, p.Err())
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("it is at %d of %d records: %w", l.done, in.Records, ctx.Err())
		}
	}
}

func (c *Court) look(ctx context.Context, who *Contestant, in *Input, p *process.Process) (look, error) {
	l := look{at: time.Now(), cpu: p.CPU(), broker: c.brokerCPU()}
	committed, err := c.Cluster.Committed(ctx, who.Group, in.Topic())
	if err != nil {
		return l, err
	}
	for _, at := range committed {
		l.done += at
	}
	if who.Output != "" {
		l.out, err = c.Cluster.Stable(ctx, who.Output)
	}
	return l, err
}

func (c *Court) brokerCPU() time.Duration {
	if c.Broker == 0 {
		return 0
	}
	cpu, _ := process.CPU(c.Broker) // it may have ended, which shows elsewhere
	return cpu
}

// until waits until so many records are committed.
func (c *Court) until(ctx context.Context, who *Contestant, in *Input, p *process.Process, records int64) error {
	for {
		l, err := c.look(ctx, who, in, p)
		if err != nil || l.done >= records {
			return err
		}
		select {
		case <-p.Ended():
			return fmt.Errorf("it ended at %d of %d records: %w", l.done, in.Records, p.Err())
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("it is at %d of %d records: %w", l.done, in.Records, ctx.Err())
		}
	}
}

// reached returns the first look at which so many records were committed.
func (v *view) reached(records int64) look {
	for _, l := range v.looks {
		if l.done >= records {
			return l
		}
	}
	return v.looks[len(v.looks)-1]
}

// result measures a run from its start, or from the begin of the steady half, to
// its last output.
func (v *view) result(who *Contestant, in *Input) *Result {
	batch := int64(in.Params.Batch)
	from, to := v.looks[0], v.looks[v.last]
	if warm := in.Params.Warm / batch; warm > 0 {
		from = v.reached(warm)
	}
	all := in.Records - from.done
	tenth, ninth := v.reached(from.done+all/10), v.reached(from.done+all-all/10)
	cpu := to.cpu - from.cpu
	return &Result{
		Contestant: who.Name, Input: in.Name, Events: all * batch,
		Seconds: to.at.Sub(from.at).Seconds(), CPU: cpu.Seconds(), BrokerCPU: (to.broker - from.broker).Seconds(),
		Rate:   per((ninth.done-tenth.done)*batch, ninth.at.Sub(tenth.at)),
		PerCPU: per(all*batch, cpu),
	}
}

// per is how many there are a second, 0 where the time was too short to be seen.
func per(n int64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(n) / in.Seconds()
}

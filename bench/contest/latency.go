package contest

import (
	"context"
	"fmt"
	"time"

	"traitstream/bench/workload"
)

// Pace is how events come while latency is measured: a window of them counts,
// after a warm-up that begins with the first event.
type Pace struct {
	Rate           int // events a second
	WarmUp, Window time.Duration
}

// tail is how long events go on to come after the window, so that its last ones
// have what the others had behind them.
const tail = time.Second

// events is how many there are of them.
func (p Pace) events() int64 {
	return int64((p.WarmUp + p.Window + tail).Seconds() * float64(p.Rate))
}

// Latency is how long changes took, milliseconds, and what processors had to do
// meanwhile, percent of one. It is from just before the producer is handed an
// impression to the moment that a read_committed reader has its change.
type Latency struct {
	Contestant string  `json:"contestant"`
	Input      string  `json:"input"`
	Rate       int     `json:"events_per_second"`
	Seconds    float64 `json:"seconds"`
	Events     int64   `json:"events"`  // sent in the window
	Changes    int64   `json:"changes"` // that came of them
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p99_9_ms"`
	Max        float64 `json:"max_ms"`
	CPU        float64 `json:"cpu_percent"`
	BrokerCPU  float64 `json:"broker_cpu_percent,omitempty"` // 0: not known
	// OtherCPU is what others had of the machine meanwhile: latencies of a busy
	// machine tell little. The broker is one of them where it is not known.
	OtherCPU float64 `json:"other_cpu_percent"`
	Check    string  `json:"check"` // "exact", or what differs
}

// Latency measures a contestant that starts with empty topics. The input's
// parameters decide which share of the events are changes; the pace decides how
// many come. A change is matched to its impression by user, flag, treatment and
// seen_at, which every contestant puts out: the times of events are the
// generator's, a millisecond apart, so late and repeated ones are told from others
// too. The clock is this process's, which is both producer and reader.
func (c *Court) Latency(ctx context.Context, who *Contestant, name string, p workload.Params, pace Pace) (*Latency, error) {
	p.Warm, p.Batch, p.Unkeyed, p.Events = 0, 1, 0, pace.events()
	if err := p.Check(); err != nil {
		return nil, err
	}
	in := &Input{Name: "latency-" + name, Params: p, Records: p.Events}
	s, err := c.Enter(ctx, who, in)
	if err != nil {
		return nil, err
	}
	if err := c.Cluster.Delete(ctx, in.Topic()); err != nil {
		return nil, err
	}
	if err := c.Cluster.Create(ctx, in.Topic(), p.Partitions, false); err != nil {
		return nil, err
	}
	proc, err := c.Start(who, s)
	if err != nil {
		return nil, err
	}
	defer proc.Kill()
	l := &Latency{Contestant: who.Name, Input: name, Rate: pace.Rate, Seconds: pace.Window.Seconds()}
	if err := c.fly(ctx, who, in, pace, proc, l); err != nil {
		return nil, fmt.Errorf("measuring the latency of %s: %w", who.Name, err)
	}
	stop, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := proc.Stop(stop); err != nil {
		c.Log("%s: %v", who.Name, err)
	}
	r := &Result{}
	err = c.check(ctx, who, in, r)
	l.Check = r.Check
	return l, err
}

// fill fills in what the window's changes took.
func (l *Latency) fill(f *flights) {
	took, events := f.took()
	ms := func(share float64) float64 { return float64(percentile(took, share).Microseconds()) / 1000 }
	l.Events, l.Changes = events, int64(len(took))
	l.P50, l.P90, l.P99, l.P999, l.Max = ms(0.5), ms(0.9), ms(0.99), ms(0.999), ms(1)
}

package contest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"traitstream/bench/cluster"
	"traitstream/bench/process"
	"traitstream/bench/workload"
)

// Result is what a run came to. Times of processors are of the contestant's own
// process; "measured" is the whole input from the process's start, or its steady
// half from the moment that the first is committed.
type Result struct {
	Contestant string  `json:"contestant"`
	Input      string  `json:"input"`
	Events     int64   `json:"events"` // measured
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu_seconds"`
	BrokerCPU  float64 `json:"broker_cpu_seconds,omitempty"` // 0: not known
	// Rate leaves out the first and the last tenth: start and end.
	Rate       float64 `json:"events_per_second"`
	PerCPU     float64 `json:"events_per_cpu_second"`
	PeakMemory int64   `json:"peak_memory_bytes"`
	Written    int64   `json:"kafka_bytes"` // to the contestant's topics, as the broker keeps them
	Outputs    int64   `json:"outputs"`
	Check      string  `json:"check"` // "exact", or what differs
}

// Court is where contestants are measured.
type Court struct {
	Cluster *cluster.Cluster
	Broker  int    // the broker's process, 0: not known
	Work    string // folders of programs and runs
	Workers int
	Port    int
	Log     func(format string, args ...any)
}

// Enter readies a contestant's stage: builds it and removes what earlier runs
// have left.
func (c *Court) Enter(ctx context.Context, who *Contestant, in *Input) (*Stage, error) {
	s := &Stage{
		Input: in, Brokers: c.Cluster.Brokers, Workers: c.Workers, Port: c.Port,
		Work: c.Work + "/" + who.Name, Dir: c.Work + "/" + who.Name + "/" + in.Name,
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		return nil, fmt.Errorf("removing an earlier run: %w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	if err := who.Build(ctx, s.Work); err != nil {
		return nil, fmt.Errorf("building %s: %w", who.Name, err)
	}
	if err := c.Cluster.DeleteGroup(ctx, who.Group); err != nil {
		return nil, err
	}
	if err := c.Cluster.Delete(ctx, who.topics()...); err != nil || who.Output == "" || who.CreatesOutput {
		return s, err
	}
	return s, c.Cluster.Create(ctx, who.Output, in.Params.Partitions, false)
}

// Start starts a contestant on its stage.
func (c *Court) Start(who *Contestant, s *Stage) (*process.Process, error) {
	spec, err := who.Spec(s)
	if err != nil {
		return nil, err
	}
	return process.Start(spec)
}

// Run runs a contestant from nothing to the end of an input.
func (c *Court) Run(ctx context.Context, who *Contestant, in *Input) (*Result, error) {
	s, err := c.Enter(ctx, who, in)
	if err != nil {
		return nil, err
	}
	p, err := c.Start(who, s)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	v, err := c.watch(ctx, who, in, p, in.Records)
	if err != nil {
		return nil, fmt.Errorf("running %s on %s: %w", who.Name, in.Name, err)
	}
	r := v.result(who, in)
	_, r.PeakMemory = p.Memory()
	stop, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := p.Stop(stop); err != nil {
		c.Log("%s: %v", who.Name, err)
	}
	if r.Written, err = c.Cluster.Size(ctx, who.topics()...); err != nil {
		return nil, err
	}
	return r, c.check(ctx, who, in, r)
}

// check reads a contestant's output and holds it against the input's digest.
func (c *Court) check(ctx context.Context, who *Contestant, in *Input, r *Result) error {
	if who.Unchecked {
		r.Check = "-"
		return nil
	}
	got, err := c.digest(ctx, who, in)
	if err != nil {
		return err
	}
	r.Outputs, r.Check = got.Outputs, "exact"
	if !in.Digest.Equal(got) {
		r.Check = fmt.Sprintf("DIFFERS: %d keys, %d outputs, want %d, %d", got.Keys, got.Outputs, in.Digest.Keys, in.Digest.Outputs)
	}
	return nil
}

func (c *Court) digest(ctx context.Context, who *Contestant, in *Input) (workload.Digest, error) {
	reading := in.Params.NewReading()
	if err := c.Cluster.Read(ctx, who.Output, reading.Take); err != nil {
		return workload.Digest{}, err
	}
	return reading.Digest(), nil
}

// run runs a command that is not measured.
func run(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return nil
}

package processor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
)

// Jobs asks for replays and tells how they are, from anywhere.
type Jobs struct {
	o Options
}

// NewJobs works on the jobs of an app, whose topics are there.
func NewJobs(cl *kgo.Client, cfg *config.Config, topics *kafka.Topics) *Jobs {
	return &Jobs{o: Options{Fleet: fleet.Fleet{Client: cl, Config: cfg, Topics: topics}, jobs: newJobs()}}
}

// leaderPatience is how long the control topic's leader is waited for: of one that has died
// a cluster knows after nine seconds.
const leaderPatience = 30 * time.Second

// read reads the control topic.
func (j *Jobs) read(ctx context.Context) error {
	for began, failures := time.Now(), 0; ; failures++ {
		err := j.o.readJobs(ctx)
		if err == nil || !kafka.IsNetwork(err) || time.Since(began) > leaderPatience || !sleep(ctx, backoff(failures)) {
			return err
		}
	}
}

// Group is the one that carries jobs out.
func (j *Jobs) Group() string { return j.o.Config.Group() }

// ReplayRequest says what is to be replayed, and whose job it is.
type ReplayRequest struct {
	Emit schemas.JobEmit
	// From and To bound the source records by their timestamps, or, under EmitAll,
	// the traits by when their value was seen. Zero: no bound; To is exclusive.
	From, To time.Time
	// Offsets are the partitions to read and where they begin, instead; none: all.
	Offsets []PartitionOffset
	// Identity, Users and Splits select; empty: all.
	Identity      string
	Users, Splits []string
	Rate          int64 // records a second, all tasks together; 0: no bound
	Reason, By    string
}

// PartitionOffset is a place in a source.
type PartitionOffset struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Plan is a job that has not begun.
type Plan struct {
	Job schemas.Job
	// Since is the time of the first record that is left of what was asked for;
	// zero: none is.
	Since time.Time
	// Cut are partitions of which retention has removed some of what was asked for.
	Cut []PartitionOffset
}

// Plan works out what a request comes to. It writes nothing.
func (j *Jobs) Plan(ctx context.Context, r ReplayRequest) (*Plan, error) {
	now := time.Now()
	p := &Plan{Job: schemas.Job{
		ID: jobID(now), State: schemas.JobRunning, Emit: r.Emit, From: msOf(r.From), To: msOf(r.To),
		Identity: r.Identity, Users: r.Users, Splits: r.Splits, Rate: r.Rate, Reason: r.Reason, By: r.By,
		Created: now.UnixMilli(), Changed: now.UnixMilli(),
	}}
	if r.Emit == schemas.EmitAll {
		return p, nil
	}
	return p, j.o.planRanges(ctx, &r, p)
}

func msOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// jobID returns a new id that sorts by time.
func jobID(now time.Time) string {
	var random [2]byte
	_, _ = rand.Read(random[:]) // never fails
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(random[:])
}

// planRanges finds the offsets of what is asked for. It ends where the group is:
// what comes after that is read as ever.
func (o *Options) planRanges(ctx context.Context, r *ReplayRequest, p *Plan) error {
	m, err := o.Measure(ctx)
	if err != nil {
		return fmt.Errorf("looking up how far group %s is: %w", o.Config.Group(), kafka.Explain(err))
	}
	adm := kadm.NewClient(o.Client)
	from, to := m.Start, m.End
	if !r.From.IsZero() {
		from, err = kafka.Told(adm.ListOffsetsAfterMilli(ctx, r.From.UnixMilli(), o.Sources()...))
	}
	if err == nil && !r.To.IsZero() {
		to, err = kafka.Told(adm.ListOffsetsAfterMilli(ctx, r.To.UnixMilli(), o.Sources()...))
	}
	if err != nil {
		return fmt.Errorf("looking up offsets by time: %w", kafka.Explain(err))
	}
	ids, _, err := o.TopicIDs(ctx)
	if err != nil {
		return err
	}
	for _, topic := range o.Sources() {
		for number := range o.Topics.Sources[topic].Partitions {
			begin, err := kafka.Listed(from, topic, number)
			if err != nil {
				return err
			}
			end, err := kafka.Listed(to, topic, number)
			if err != nil {
				return err
			}
			of := schemas.JobRange{Topic: topic, TopicID: ids[topic], Partition: number, From: begin.Offset, To: end.Offset}
			c, _ := m.Committed.Lookup(topic, number)
			of.To = min(of.To, c.At) // nothing, where the group has not been yet
			if err := p.add(ctx, o, r, m, of); err != nil {
				return err
			}
		}
	}
	if err := o.checkOffsets(p, r, m); err != nil || len(p.Job.Ranges) > 0 {
		return err
	}
	return o.nothingLeft(ctx, m)
}

// nothingLeft says that what is asked for is gone or has not come, and what there is.
func (o *Options) nothingLeft(ctx context.Context, m *fleet.Measurement) error {
	first := int64(math.MaxInt64)
	for _, topic := range o.Sources() {
		for number := range o.Topics.Sources[topic].Partitions {
			at, err := m.FirstTime(ctx, topic, number)
			if err != nil {
				return err
			}
			first = min(first, at)
		}
	}
	if first == math.MaxInt64 {
		return fmt.Errorf("%w: the sources are empty", ErrNothingLeft)
	}
	return fmt.Errorf("%w: what is left of the sources begins at %s", ErrNothingLeft, time.UnixMilli(first).UTC().Format("2006-01-02 15:04:05 UTC"))
}

// ErrNothingLeft says that a replay would read nothing.
var ErrNothingLeft = errors.New("there is nothing to read of that")

// add adds a partition's range, if something is left of it.
func (p *Plan) add(ctx context.Context, o *Options, r *ReplayRequest, m *fleet.Measurement, of schemas.JobRange) error {
	start, err := kafka.Listed(m.Start, of.Topic, of.Partition)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Offsets, func(w PartitionOffset) bool { return w.Topic == of.Topic && w.Partition == of.Partition })
	if i < 0 && len(r.Offsets) > 0 {
		return nil
	}
	if i >= 0 {
		of.From = r.Offsets[i].Offset
		if of.From < start.Offset {
			return fmt.Errorf("offset %d of %s, partition %d, is gone: its log begins at %d; start there or later",
				of.From, of.Topic, of.Partition, start.Offset)
		}
	}
	if of.From >= of.To {
		if r.From.IsZero() && i < 0 && of.From > 0 && of.From == start.Offset {
			p.Cut = append(p.Cut, PartitionOffset{of.Topic, of.Partition, start.Offset}) // all of it
		}
		return nil
	}
	first, err := o.FirstRecord(ctx, of.Topic, of.Partition, of.From, of.To)
	if err != nil || first == nil {
		return err
	}
	if p.Since.IsZero() || first.Timestamp.Before(p.Since) {
		p.Since = first.Timestamp
	}
	if i < 0 && start.Offset > 0 && of.From == start.Offset {
		p.Cut = append(p.Cut, PartitionOffset{of.Topic, of.Partition, start.Offset})
	}
	of.From = first.Offset
	p.Job.Ranges = append(p.Job.Ranges, of)
	return nil
}

// checkOffsets refuses offsets of which nothing is left to be read.
func (o *Options) checkOffsets(p *Plan, r *ReplayRequest, m *fleet.Measurement) error {
	for _, of := range r.Offsets {
		if slices.ContainsFunc(p.Job.Ranges, func(w schemas.JobRange) bool { return w.Topic == of.Topic && w.Partition == of.Partition }) {
			continue
		}
		if n := o.Topics.Sources[of.Topic].Partitions; of.Partition < 0 || of.Partition >= n {
			return fmt.Errorf("%s has no partition %d: its partitions are 0 to %d", of.Topic, of.Partition, n-1)
		}
		c, _ := m.Committed.Lookup(of.Topic, of.Partition)
		return fmt.Errorf("nothing lies between offset %d of %s, partition %d, and offset %d, where the group is (or an earlier --to)",
			of.Offset, of.Topic, of.Partition, c.At)
	}
	return nil
}

// Total is how many offsets a plan covers.
func (p *Plan) Total() (n int64) {
	for _, of := range p.Job.Ranges {
		n += of.To - of.From
	}
	return n
}

// JobStatus is a job with what its tasks have reported.
type JobStatus struct {
	Job     schemas.Job
	Reports []schemas.JobReport // by task; a task that has not begun has none
	Tasks   int32
}

// List returns all jobs, oldest first.
func (j *Jobs) List(ctx context.Context) ([]JobStatus, error) {
	if err := j.read(ctx); err != nil {
		return nil, err
	}
	all, _, _ := j.o.jobs.list()
	statuses := make([]JobStatus, len(all))
	for i, job := range all {
		statuses[i] = JobStatus{Job: *job, Reports: j.o.jobs.reportsOf(job.ID, j.o.Topics.Tasks), Tasks: j.o.Topics.Tasks}
	}
	return statuses, nil
}

// Switched counts the tasks that have gone over, of a job that computes definitions.
func (s *JobStatus) Switched() (n int) {
	for i := range s.Reports {
		if s.Reports[i].Switched {
			n++
		}
	}
	return n
}

func (j *jobs) reportsOf(id string, tasks int32) (all []schemas.JobReport) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for task := range tasks {
		if r, ok := j.reports[shareKey{id, task}]; ok {
			all = append(all, r)
		}
	}
	return all
}

// SetState has a job be in a state, unless it is over, and returns what it is then: who
// ends it at the same time may have come first.
func (j *Jobs) SetState(ctx context.Context, connect []kgo.Opt, id string, state schemas.JobState) (job *schemas.Job, err error) {
	err = untilInTurn(ctx, func() error {
		job, err = j.o.changeJob(ctx, connect, id, func(job *schemas.Job) bool {
			changes := job.State != state
			job.State = state
			return changes
		})
		return err
	})
	return job, err
}

// mostOvertaken is how often a change is tried again that others have overtaken.
const mostOvertaken = 5

// untilInTurn tries a change again that others have overtaken.
func untilInTurn(ctx context.Context, change func() error) error {
	for failures := 0; ; failures++ {
		err := change()
		if !errors.Is(err, ErrOvertaken) || failures == mostOvertaken || !sleep(ctx, backoff(failures)) {
			return err
		}
	}
}

// Put writes a job down: it begins, or changes, for whoever runs.
func (j *Jobs) Put(ctx context.Context, job *schemas.Job) error {
	r := &kgo.Record{Topic: j.o.Topics.Control.Name, Key: job.Key(), Value: job.Value()}
	if err := j.o.put(ctx, r); err != nil {
		return fmt.Errorf("writing replay job %s to %s: %w", job.ID, j.o.Topics.Control.Name, kafka.Explain(err))
	}
	return nil
}

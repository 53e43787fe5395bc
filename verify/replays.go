package verify

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// orders are what the control topic says of replay jobs, and of the rules by which
// impressions were read.
type orders struct {
	jobs    map[string]*schemas.Job // by id
	changed bool                    // there were other rules than those of now
}

// orders reads the control topic, which may not be there yet.
func (v *verifier) orders(ctx context.Context) (*orders, error) {
	all, control := &orders{jobs: map[string]*schemas.Job{}}, v.o.Topics.Control
	if control.Missing {
		return all, nil
	}
	_, now, err := v.o.Config.Rules()
	if err != nil {
		return nil, err
	}
	logs, err := kafka.Logs(ctx, v.o.Client, control.Name)
	if err != nil {
		return nil, err
	}
	for number, log := range logs {
		err := kafka.ReadPartition(ctx, v.o.Client, control.Name, number, log.From, log.To, func(r *kgo.Record) error {
			if hash, ok := schemas.RulesHash(r.Key); ok {
				all.changed = all.changed || hash != now
			}
			job, ok, err := schemas.ParseJob(r.Key, r.Value)
			if ok && err == nil {
				all.jobs[job.ID] = &job
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// standing tells whether an impression was merged.
type standing uint8

// From the least to the most certain.
const (
	unread    standing = iota // by nobody
	cancelled                 // perhaps, by a replay job that was cancelled
	underway                  // perhaps
	merged                    // for certain
)

// replay is what a job reads of a source's partition.
type replay struct {
	from, to int64
	of       *job
}

// job is a replay job as far as it decides what was merged.
type job struct {
	id     string
	stands standing // all that it reads
	quiet  bool     // it sends nothing
	// Whom and which flags it is about; empty: all.
	identity      string
	users, splits map[string]bool
}

func jobOf(j *schemas.Job, done bool) *job {
	of := &job{id: j.ID, stands: underway, quiet: j.Emit == schemas.EmitNone, identity: j.Identity, users: set(j.Users), splits: set(j.Splits)}
	switch {
	case done:
		of.stands = merged
	case j.State == schemas.JobCancelled, j.State == schemas.JobFailed:
		of.stands = cancelled
	}
	return of
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

// reads tells whether a job merges an impression of its ranges.
func (j *job) reads(identity, user, split string) bool {
	return (j.identity == "" || j.identity == identity) &&
		(len(j.users) == 0 || j.users[user]) && (len(j.splits) == 0 || j.splits[split])
}

// replayed adds to the inputs what jobs read of them. What was done before the cut
// was taken is merged for certain; until its end, others may have begun.
func (c *cut) replayed(before, after *orders) {
	c.changed = after.changed
	for _, j := range slices.SortedFunc(maps.Values(after.jobs), (*schemas.Job).Compare) {
		earlier := before.jobs[j.ID]
		of := jobOf(j, earlier != nil && earlier.State == schemas.JobDone)
		for _, r := range j.Ranges {
			in := c.inputs[partition{r.Topic, r.Partition}]
			if in == nil {
				continue // no source any more
			}
			if in.id != "" && r.TopicID != "" && r.TopicID != in.id {
				in.lost = true // a topic that was there before
				continue
			}
			in.replays = append(in.replays, replay{r.From, r.To, of})
			if r.From < in.first {
				in.lost = true
				if of.quiet && c.quietLost == nil {
					c.quietLost = of
				}
			}
		}
	}
}

// again tells how an impression stands by the jobs that read it, and the first of
// them, if there is one, that sends nothing.
func (in *input) again(at int64, identity, user, split string) (most standing, quiet *job) {
	for _, r := range in.replays {
		if at < r.from || at >= r.to || !r.of.reads(identity, user, split) {
			continue
		}
		most = max(most, r.of.stands)
		if r.of.quiet && quiet == nil {
			quiet = r.of
		}
	}
	return most, quiet
}

// replayed tells whether a job reads the impression that a trait says it comes from.
func (in *input) replayed(key string, from *trait.Facts) bool {
	k, err := schemas.DecodeStateKey([]byte(key))
	if err != nil {
		return false
	}
	most, _ := in.again(from.Place.Offset, k.Identity.String(), string(k.User), string(from.Flag))
	return most != unread
}

// before are the parts of a partition that jobs read of what lies before the group's
// beginning, in order and apart from each other.
func (in *input) before() []kafka.Span {
	var all, apart []kafka.Span
	for _, r := range in.replays {
		if log := (kafka.Span{From: max(r.from, in.first), To: min(r.to, in.from)}); log.From < log.To {
			all = append(all, log)
		}
	}
	slices.SortFunc(all, func(a, b kafka.Span) int { return cmp.Compare(a.From, b.From) })
	for _, log := range all {
		if n := len(apart); n > 0 && log.From <= apart[n-1].To {
			apart[n-1].To = max(apart[n-1].To, log.To)
			continue
		}
		apart = append(apart, log)
	}
	return apart
}

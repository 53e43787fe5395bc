package processor

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"traitstream/internal/oracle"
	"traitstream/schemas"
	"traitstream/trait"
)

// Whatever replays do while all sorts of things happen, of groups that have begun
// with what came, the verification finds that what came out is right; and once
// all was replayed, the state is that of a group that has read all. Seeds are
// those of TestRandomFaults.
func TestRandomReplays(t *testing.T) {
	t.Parallel()
	withSeeds(t, 60, randomReplays)
}

func randomReplays(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	from := func() string { return []string{"", ", from: latest", ", from: latest"}[r.IntN(3)] }
	yaml := fmt.Sprintf("sources: [{topic: a%s}, {topic: b%s}]\ntraits: [{name: \"{split}\", not_served: clear}]\n"+
		"output: {partitions: %d}\nprocessor: {workers: %d, session_timeout: 6s, commit_interval: %dms, flush_interval: %s}\n",
		from(), from(), 1+r.Int32N(4), 1+r.IntN(3), 1+r.IntN(500), []string{"0s", "200ms", "5m"}[r.IntN(3)])
	inBubble(t, yaml, map[string]int32{"b": 1 + r.Int32N(6)}, func(b *bubble) {
		c := &chaos{Rand: r, b: b, in: newInput(b, seed)}
		c.in.put(10 + c.IntN(60))
		c.start()
		b.pass(5 * time.Second)
		for range 4 + c.IntN(8) {
			c.in.put(c.IntN(20))
			if c.IntN(2) == 0 {
				c.replay()
			} else {
				c.event()
			}
			c.pass()
			if c.IntN(4) == 0 {
				b.verifyMeanwhile()
			}
		}
		c.calm()
		whole := c.IntN(2) == 0
		if whole {
			b.caughtUp(b.t.Context())
			if job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges}); job != nil {
				b.jobEnds(job.ID)
			}
		}
		b.settle()
		report := b.verify()
		if !whole {
			return
		}
		want := b.truth()
		b.checkRegisters(&want)
		if len(report.Unverifiable) > 0 || report.InFlux > 0 || report.Traits != int64(len(want.Traits)) {
			t.Errorf("verify tells %+v, want certainty about %d traits", report, len(want.Traits))
		}
	})
}

// checkRegisters compares what the changelog has seen with the oracle.
func (b *bubble) checkRegisters(want *truth) {
	b.t.Helper()
	found := 0
	b.eachTrait(func(name oracle.Key, _ trait.Key, rec *trait.Record) {
		if w := want.Traits[name]; rec.Seen.SeenAt != w.SeenAt || rec.Seen.Version != w.Version || string(rec.Seen.Value) != w.Value {
			b.t.Errorf("the changelog has %s as %+v, want %+v", name.JSON(), rec.Seen, w)
		}
		found++
	})
	if found != len(want.Traits) {
		b.t.Errorf("the changelog has %d traits, want %d", found, len(want.Traits))
	}
}

// turnJob changes a job's state unless it is over. Faults may meet it too: it is
// then tried again.
func (b *bubble) turnJob(job *schemas.Job, to schemas.JobState) {
	b.t.Helper()
	jobs := NewJobs(b.client, b.cfg, b.topics)
	for range 100 {
		all, err := jobs.List(b.t.Context())
		for _, s := range all {
			if s.Job.ID == job.ID && !s.Job.State.Over() {
				s.Job.State = to
				err = jobs.Put(b.t.Context(), &s.Job)
			}
		}
		if err == nil {
			return
		}
		b.pass(time.Second)
	}
	b.t.Fatal("no replay can be changed")
}

package verify

import (
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
)

// pass is a look at some tasks.
type pass struct {
	*verifier
	tasks   []int32
	only    map[string]bool // the traits that are looked at; nil: all
	cut     *cut
	shards  map[int32]*shard
	refused map[oracle.Place]bool // of impressions whose change was too large

	causes map[partition]map[int64]bool // of changes under other generations

	checkpoints map[int32]state.Checkpoint // of the tasks that local state has

	// Counted while reading.
	records, impressions, changes atomic.Int64

	compared, inFlux, state, stateNewer int64
	tasksReplacing                      int
	unverifiable                        map[Reason]int64
	notSent                             map[string]int64 // by job

	mu          sync.Mutex
	differences []Difference
}

// shard is what is known of a task's traits, by state key.
type shard struct {
	mu      sync.Mutex
	traits  map[string]*evidence
	foreign map[string]Difference // of the changelog, by a key that is no trait's
	away    takenAway
}

func newPass(v *verifier, tasks []int32, only map[string]bool) *pass {
	p := &pass{
		verifier: v, tasks: tasks, only: only, shards: map[int32]*shard{}, refused: map[oracle.Place]bool{},
		checkpoints: map[int32]state.Checkpoint{}, unverifiable: map[Reason]int64{}, notSent: map[string]int64{},
	}
	for _, task := range tasks {
		p.shards[task] = &shard{traits: map[string]*evidence{}, away: newTakenAway()}
	}
	return p
}

// wants tells whether a trait, or a record without one, is looked at.
func (p *pass) wants(id string) bool { return p.only == nil || p.only[id] }

// of returns the evidence on a trait, nil if it is not looked at. The shard's
// lock is held.
func (p *pass) of(s *shard, key []byte) *evidence {
	ev := s.traits[string(key)]
	if ev == nil && p.wants(string(key)) {
		ev = &evidence{cause: -1}
		s.traits[string(key)] = ev
	}
	return ev
}

// differ notes a difference in a trait, by its state key.
func (p *pass) differ(key string, d Difference) {
	d.id = key
	if k, err := schemas.DecodeStateKey([]byte(key)); err == nil {
		d.Identity, d.User, d.Trait = k.Identity.String(), string(k.User), string(k.Trait)
	}
	p.note(d)
}

// differRecord notes a difference in a record that is of no trait.
func (p *pass) differRecord(d Difference) {
	d.id = fmt.Sprintf("%s/%d@%d", d.Topic, d.Partition, d.Offset)
	if p.wants(d.id) {
		p.note(d)
	}
}

func (p *pass) note(d Difference) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.differences = append(p.differences, d)
}

// chain adds a change to the sum of those before it.
func (v *verifier) chain(sum uint64, value string, from place) uint64 {
	if value == "" {
		from = place{} // a removal does not tell
	}
	return maphash.Comparable(v.seed, link{sum, value, from})
}

type link struct {
	sum   uint64
	value string
	from  place
}

// counter tells progress now and then.
type counter struct {
	tell        func(string, int64, int64)
	stage       string
	done, total atomic.Int64
}

func (p *pass) counter(stage string) *counter {
	if p.only != nil {
		stage = StageAgain
	}
	return &counter{tell: p.o.Progress, stage: stage}
}

// follow returns a function that takes how far a partition is read.
func (c *counter) follow(log kafka.Span) func(offset int64) {
	c.total.Add(max(0, log.To-log.From))
	at := log.From
	return func(offset int64) {
		if offset-at >= progressStep || offset >= log.To {
			c.tell(c.stage, c.done.Add(offset-at), c.total.Load())
			at = offset
		}
	}
}

// progressStep is how many offsets are read between two calls of Progress.
const progressStep = 1000

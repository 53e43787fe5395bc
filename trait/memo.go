package trait

import (
	"bytes"
	"hash/maphash"

	"traitstream/impression"
)

const (
	// memoSize bounds what is remembered: most flags times their treatments.
	memoSize = 4096
	// maxLearnt bounds what is remembered anew between two resets, so that facts
	// that never come again cost little.
	maxLearnt = 64
)

// memo remembers matches by the facts that they follow from. Most impressions
// have those of one that came before.
type memo struct {
	seed    maphash.Seed
	entries []*memory // by hash
	batch   int       // how many resets there were
	learnt  int       // since the last reset
}

// memory is what came of an impression. Its bytes never change, since matches
// that were given refer to them.
type memory struct {
	flag, treatment, label, environmentName, environmentID, event []byte
	matches                                                       []Match
	verdict                                                       Verdict
	used                                                          int // the batch in which it was last of use
}

// noted tells of a match that is remembered where, and which Environments have
// seen it.
type noted struct {
	of *memory
	by *Environments
}

func newMemo() *memo {
	return &memo{seed: maphash.MakeSeed(), entries: make([]*memory, memoSize)}
}

// reset begins a batch.
func (k *memo) reset() {
	k.batch++
	k.learnt = 0
}

// place returns where the memory of an impression is, if there is one.
func (k *memo) place(imp *impression.Impression) **memory {
	hash := maphash.Bytes(k.seed, imp.Flag) + 3*maphash.Bytes(k.seed, imp.Treatment)
	// Environments and the like are few: their lengths tell most apart.
	for _, fact := range [...][]byte{imp.Label, imp.EnvironmentName, imp.EnvironmentID, imp.Event} {
		hash = hash*5 + uint64(len(fact))
	}
	return &k.entries[hash%uint64(len(k.entries))]
}

// find returns the memory of an impression, or nil.
func (k *memo) find(at **memory, imp *impression.Impression) *memory {
	m := *at
	if m == nil || !m.of(imp) {
		return nil
	}
	m.used = k.batch
	return m
}

// Intern gives the impression of a match that is remembered the memory's bytes for
// its facts, which are equal, and which most impressions share: whoever looks at
// them again finds them in the processor's caches. They never change.
func (m *Match) Intern(imp *impression.Impression) {
	if m.noted == nil {
		return
	}
	of := m.noted.of
	imp.Flag, imp.Treatment, imp.Label = of.flag, of.treatment, of.label
	imp.EnvironmentName, imp.EnvironmentID, imp.Event = of.environmentName, of.environmentID, of.event
}

// learn remembers what came of an impression, unless what is there was of use
// since the last reset.
func (k *memo) learn(at **memory, imp *impression.Impression, matches []Match, verdict Verdict) {
	if k.learnt == maxLearnt || *at != nil && (*at).used == k.batch {
		return
	}
	k.learnt++
	m := &memory{
		flag: own(imp.Flag), treatment: own(imp.Treatment), label: own(imp.Label),
		environmentName: own(imp.EnvironmentName), environmentID: own(imp.EnvironmentID),
		event: own(imp.Event), verdict: verdict, used: k.batch,
	}
	for _, match := range matches {
		match.Trait, match.Value = own(match.Trait), own(match.Value)
		match.noted = &noted{of: m}
		m.matches = append(m.matches, match)
	}
	*at = m
}

// own copies bytes without room behind them, since several share them.
func own(b []byte) []byte {
	b = bytes.Clone(b)
	return b[:len(b):len(b)]
}

// of tells whether an impression has the facts of the memory. An absent fact is
// not an empty one.
func (m *memory) of(imp *impression.Impression) bool {
	return bytes.Equal(m.flag, imp.Flag) && bytes.Equal(m.treatment, imp.Treatment) && same(m.label, imp.Label) &&
		same(m.environmentName, imp.EnvironmentName) && same(m.environmentID, imp.EnvironmentID) && same(m.event, imp.Event)
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// remembers tells whether all that the rules look at is what a memory holds.
func (s *Set) remembers() bool {
	all := true
	for i := range s.rules {
		s.rules[i].references(func(of *reference) {
			switch of.fact {
			case split, treatment, label, environmentName, environmentID:
			default:
				all = false
			}
		})
	}
	return all
}

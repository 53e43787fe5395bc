package workload

import (
	"math/rand/v2"
	"slices"
)

// Event is an impression: key is user × flag, as a number.
type Event struct {
	Key       uint32
	Treatment uint8
	SeenAt    uint32 // ms after Epoch
	Sent      uint32 // ms after Epoch, the record's timestamp: not before SeenAt
}

// Treatments are in the order of their bytes, by which equal times are decided.
var Treatments = []string{"off", "on", "v2"}

// recent is how far back a duplicate lies at most, events.
const recent = 10_000

// lateness is the longest delay of a late event, ms.
const lateness = 60_000

// Generator makes the events of an input, one after the other.
type Generator struct {
	p     Params
	rand  *rand.Rand
	zipf  *rand.Zipf
	next  int64
	seen  []uint8 // each key's treatment + 1, 0: not seen yet
	past  []Event
	truth *Truth
}

// NewGenerator returns one at the input's start.
func NewGenerator(p Params) *Generator {
	g := &Generator{
		p: p, rand: rand.New(rand.NewPCG(p.Seed, 0)),
		seen:  make([]uint8, p.Users*p.Flags),
		past:  make([]Event, 0, recent),
		truth: newTruth(p.Users * p.Flags),
	}
	if p.Skew > 0 {
		g.zipf = rand.NewZipf(g.rand, p.Skew, 1, uint64(p.Users-1))
	}
	return g
}

// Next returns the next event, false after the last one.
func (g *Generator) Next() (Event, bool) {
	if g.next == g.p.Events {
		return Event{}, false
	}
	i := g.next
	g.next++
	e := g.event(i)
	if len(g.past) < recent {
		g.past = append(g.past, e)
	} else {
		g.past[i%recent] = e
	}
	g.truth.take(e)
	return e, true
}

func (g *Generator) event(i int64) Event {
	now := uint32(i) + lateness // so that nothing lies before Epoch
	if len(g.past) > 0 && g.rand.Float64() < g.p.Duplicates {
		e := g.past[g.rand.IntN(len(g.past))]
		e.Sent = now
		return e
	}
	e := Event{Key: g.key(i), SeenAt: now, Sent: now}
	before := g.seen[e.Key]
	switch {
	case before == 0:
		e.Treatment = uint8(g.rand.IntN(len(Treatments)))
	case g.rand.Float64() < g.p.Flips:
		e.Treatment = (before - 1 + 1 + uint8(g.rand.IntN(len(Treatments)-1))) % uint8(len(Treatments))
	default:
		e.Treatment = before - 1
	}
	g.seen[e.Key] = e.Treatment + 1
	if g.rand.Float64() < g.p.Late {
		e.SeenAt -= g.rand.Uint32N(lateness)
	}
	return e
}

// key chooses a key: in the steady state one that was seen.
func (g *Generator) key(i int64) uint32 {
	if g.p.Sweep && i < int64(len(g.seen)) {
		return uint32(i)
	}
	for {
		key := uint32(g.user()*g.p.Flags + g.rand.IntN(g.p.Flags))
		if g.p.Warm == 0 || i < g.p.Warm || g.seen[key] != 0 {
			return key
		}
	}
}

func (g *Generator) user() int {
	if g.zipf != nil {
		return int(g.zipf.Uint64())
	}
	return g.rand.IntN(g.p.Users)
}

// Done is how many events have come.
func (g *Generator) Done() int64 { return g.next }

// Chance is true for a share of the calls. It takes its turns with Next.
func (g *Generator) Chance(share float64) bool { return share > 0 && g.rand.Float64() < share }

// Digest tells what must have come of the events so far.
func (g *Generator) Digest() Digest {
	d := g.truth.digest()
	d.Ordered = g.p.Ordered()
	return d
}

// treatment returns the number of one, -1 for none of ours.
func treatment(text string) int { return slices.Index(Treatments, text) }

package state

import "traitstream/trait"

// roundKeys is how many keys are looked up together: so many that memory is
// asked for many of them at a time, and few enough that it is still near when
// they are compared.
const roundKeys = 128

// round is what WantEach looks up together.
type round struct {
	keys   []byte
	wanted [roundKeys]wanted
	sum    uint32 // of what was touched, so that it is
}

type wanted struct {
	start, end int // in keys
	hash       uint32
	task       int32
}

// WantEach is Want for n keys. Most are not in the processor's caches, nor is what
// the index says of them, so it asks for all of them before it looks at one.
func (o *Overlay) WantEach(n int, key func(i int) (task int32, k trait.Key), found func(i int, slot Slot)) {
	r := &o.round
	for first := 0; first < n; first += roundKeys {
		size := min(roundKeys, n-first)
		for i := range size {
			if _, k := key(first + i); len(k.User) > 0 {
				r.sum += uint32(k.User[0])
			}
		}
		r.keys = r.keys[:0]
		for i := range size {
			task, k := key(first + i)
			start := len(r.keys)
			r.keys = appendRecordKey(r.keys, task, k)
			r.wanted[i] = wanted{start, len(r.keys), o.young.index.hash(r.keys[start:]), task}
		}
		r.touch(o.young, size)
		r.touch(o.old, size)
		for i, w := range r.wanted[:size] {
			found(first+i, o.want(w.task, w.hash, r.keys[w.start:w.end]))
		}
	}
}

// touch reads a little of all that a look at some keys will read, in loops that
// wait for nothing.
func (r *round) touch(g *generation, size int) {
	sum := r.sum
	for _, w := range r.wanted[:size] {
		sum += g.index.table[g.index.home(w.hash)].hash
	}
	for _, w := range r.wanted[:size] {
		if slot, ok := g.index.guess(w.hash); ok {
			sum += g.entries.at(slot).keyLen
		}
	}
	for _, w := range r.wanted[:size] {
		if slot, ok := g.index.guess(w.hash); ok {
			e := g.entries.at(slot)
			sum += uint32(g.arena.chunks[e.key.chunk][e.key.start]) + uint32(g.arena.chunks[e.value.chunk][e.value.start])
		}
	}
	r.sum = sum
}

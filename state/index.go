package state

import (
	"bytes"
	"hash/maphash"
)

const (
	leastIndex = 1 << 10
	keptIndex  = 1 << 18 // 2 MiB
	cellBytes  = 8
)

// index finds the slot of a key: a hash table with open addressing over
// a generation's entries. Go's map would need a string of its own for each key.
type index struct {
	seed  maphash.Seed
	table []cell // a power of two, at most half full
	used  int
}

type cell struct {
	hash uint32
	slot int32 // plus one; 0 is a free cell
}

func newIndex(seed maphash.Seed) index {
	return index{seed: seed, table: make([]cell, leastIndex)}
}

func (x *index) hash(key []byte) uint32 { return uint32(maphash.Bytes(x.seed, key)) }

// find returns the slot of a key, false if there is none.
func (x *index) find(hash uint32, key []byte, keyOf func(Slot) []byte) (Slot, bool) {
	for i := x.home(hash); x.table[i].slot != 0; i = x.next(i) {
		c := x.table[i]
		if c.hash == hash && bytes.Equal(keyOf(Slot(c.slot-1)), key) {
			return Slot(c.slot - 1), true
		}
	}
	return 0, false
}

// guess returns the slot that a hash most likely names.
func (x *index) guess(hash uint32) (Slot, bool) {
	c := x.table[x.home(hash)]
	return Slot(c.slot - 1), c.slot != 0 && c.hash == hash
}

// add enters a slot whose key is not there yet.
func (x *index) add(hash uint32, slot Slot) {
	if 2*(x.used+1) > len(x.table) {
		x.grow()
	}
	x.place(cell{hash, int32(slot) + 1})
	x.used++
}

func (x *index) place(c cell) {
	i := x.home(c.hash)
	for x.table[i].slot != 0 {
		i = x.next(i)
	}
	x.table[i] = c
}

func (x *index) grow() {
	old := x.table
	x.table = make([]cell, 2*len(old))
	for _, c := range old {
		if c.slot != 0 {
			x.place(c)
		}
	}
}

func (x *index) home(hash uint32) int { return int(hash) & (len(x.table) - 1) }
func (x *index) next(i int) int       { return (i + 1) & (len(x.table) - 1) }

// reset empties the index. It keeps the memory of some cells for the next use.
func (x *index) reset(kept int) {
	if len(x.table) > kept {
		x.table = make([]cell, leastIndex)
	} else if x.used > 0 {
		clear(x.table)
	}
	x.used = 0
}

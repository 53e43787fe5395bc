package state

import (
	"hash/maphash"
)

// generation is a part of an overlay's records. An overlay fills one, and still
// finds what it needs in the one before; when a generation is full, the older
// one goes. So what has not been wanted for long is forgotten, at no cost a
// record.
type generation struct {
	index   index
	entries entries
	arena   arena
}

func newGeneration(seed maphash.Seed) *generation { return &generation{index: newIndex(seed)} }

// bytes tells how much memory is in use.
func (g *generation) bytes() int {
	return g.arena.bytes + g.entries.used*entryBytes + len(g.index.table)*cellBytes
}

// find returns the slot of a key.
func (g *generation) find(hash uint32, key []byte) (Slot, bool) {
	return g.index.find(hash, key, g.key)
}

func (g *generation) key(slot Slot) []byte {
	e := g.entries.at(slot)
	return g.arena.at(e.key, e.keyLen)
}

// value returns an encoded record, empty if there is none.
func (g *generation) value(e *entry) []byte { return g.arena.at(e.value, e.valueLen) }

// valueStep is the unit of the room that a value takes, in bytes: one that grows
// a little fits where it was.
const valueStep = 16

// setValue copies an encoded record to where the one before was, if it fits.
func (g *generation) setValue(e *entry, value []byte) {
	if n := uint32(len(value)); n > e.valueCap {
		e.valueCap = (n + valueStep - 1) / valueStep * valueStep
		e.value = g.arena.take(int(e.valueCap))
	}
	e.valueLen = uint32(len(value))
	copy(g.arena.at(e.value, e.valueLen), value)
}

// add enters a key that is not there yet.
func (g *generation) add(hash uint32, key []byte) (Slot, *entry) {
	slot := g.entries.add()
	e := g.entries.at(slot)
	e.key, e.keyLen = g.arena.copy(key), uint32(len(key))
	g.index.add(hash, slot)
	return slot, e
}

// reset empties the generation. It keeps as much memory as it may use, in bytes.
func (g *generation) reset(limit int) {
	g.index.reset(max(leastIndex, limit/cellBytes))
	g.entries.reset(limit / entryBytes / blockEntries)
	g.arena.reset(limit / chunkBytes)
}

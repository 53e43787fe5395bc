package state

import "traitstream/trait"

const (
	blockEntries = 512
	keptBlocks   = 64
)

// entry is a record of an overlay.
type entry struct {
	task   int32
	dirty  bool
	key    []byte // as in the store
	value  []byte // the encoded record; nil until it is asked for
	record trait.Record
}

// entries is a list whose elements stay where they are.
type entries struct {
	blocks []*[blockEntries]entry
	used   int
}

func (l *entries) add(e entry) Slot {
	if l.used == len(l.blocks)*blockEntries {
		l.blocks = append(l.blocks, new([blockEntries]entry))
	}
	slot := Slot(l.used)
	l.used++
	*l.at(slot) = e
	return slot
}

func (l *entries) at(s Slot) *entry { return &l.blocks[s/blockEntries][s%blockEntries] }

// reset empties the list, so that it holds on to nobody's memory. It keeps
// blocks for the next use, up to a bound.
func (l *entries) reset() {
	clear(l.blocks[min(len(l.blocks), keptBlocks):])
	l.blocks = l.blocks[:min(len(l.blocks), keptBlocks)]
	for i := 0; i*blockEntries < l.used && i < len(l.blocks); i++ {
		clear(l.blocks[i][:])
	}
	l.used = 0
}

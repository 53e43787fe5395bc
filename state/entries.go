package state

import "traitstream/trait"

const (
	blockEntries = 512
	keptBlocks   = 64
	entryBytes   = 64
)

// entry is a record of a generation. It points nowhere: there are many, and the
// collector would follow each.
type entry struct {
	key, value       ref
	keyLen, valueLen uint32 // no value: the store has none
	valueCap         uint32
	record           Slot  // plus one, of the decoded record; 0: there is none
	seenAt, version  int64 // of the register seen; those of the value may be older
	task             int32
	epoch            uint32 // of the task when this was loaded
	dirty            bool   // changed by the open transaction
	waits            bool   // committed, and not in the store
	moved            bool   // seenAt and version are not those of the value
	unlogged         bool   // moved, and only known here
}

// list holds elements that stay where they are, in blocks.
type list[T any] struct {
	blocks []*[blockEntries]T
	used   int
}

type (
	entries = list[entry]
	records = list[trait.Record]
)

func (l *list[T]) add() Slot {
	if l.used == len(l.blocks)*blockEntries {
		l.blocks = append(l.blocks, new([blockEntries]T))
	}
	l.used++
	return Slot(l.used - 1)
}

func (l *list[T]) at(s Slot) *T { return &l.blocks[s/blockEntries][s%blockEntries] }

// reset empties the list, so that it holds on to nobody's memory. It keeps some
// blocks for the next use.
func (l *list[T]) reset(kept int) {
	clear(l.blocks[min(len(l.blocks), kept):])
	l.blocks = l.blocks[:min(len(l.blocks), kept)]
	for i := 0; i*blockEntries < l.used && i < len(l.blocks); i++ {
		clear(l.blocks[i][:])
	}
	l.used = 0
}

package state

import (
	"bytes"
	"cmp"
	"slices"
)

// headed is a slot with a number that sorts as its key does, or equal where it
// does not tell.
type headed struct {
	head uint64
	slot Slot
}

// sort puts slots into the order of their keys, in which Pebble reads and writes
// best: first by task, then, within a task, by the first bytes behind what all its
// keys begin with. These tell most apart, without a look at the keys.
func (o *Overlay) sort(slots []Slot) {
	o.heads = o.heads[:0]
	for _, slot := range slots {
		o.heads = append(o.heads, headed{uint64(uint32(o.young.entries.at(slot).task)), slot})
	}
	slices.SortFunc(o.heads, func(a, b headed) int { return cmp.Compare(a.head, b.head) })
	for rest := o.heads; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].head == rest[0].head {
			n++
		}
		o.sortTask(rest[:n])
		rest = rest[n:]
	}
	for i, h := range o.heads {
		slots[i] = h.slot
	}
}

// sortTask sorts slots of one task.
func (o *Overlay) sortTask(slots []headed) {
	first := o.key(slots[0].slot)
	shared := len(first)
	for _, h := range slots[1:] {
		key := o.key(h.slot)
		if len(key) < shared || !bytes.Equal(key[:shared], first[:shared]) {
			shared = commonPrefix(key, first[:shared])
		}
	}
	for i := range slots {
		slots[i].head = head(o.key(slots[i].slot)[shared:])
	}
	slices.SortFunc(slots, func(a, b headed) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(o.key(a.slot), o.key(b.slot))
	})
}

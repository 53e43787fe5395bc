package state

import (
	"bytes"
	"cmp"
	"slices"
)

// headed is a slot with the first bytes of its key behind what all keys begin
// with.
type headed struct {
	head uint64
	slot Slot
}

// sort puts slots into the order of their keys, in which Pebble reads and writes
// best. The heads tell most apart, without a look at the keys.
func (o *Overlay) sort(slots []Slot) {
	if len(slots) < 2 {
		return
	}
	first := o.key(slots[0])
	shared := len(first)
	for _, slot := range slots[1:] {
		key := o.key(slot)
		if len(key) < shared || !bytes.Equal(key[:shared], first[:shared]) {
			shared = commonPrefix(key, first[:shared])
		}
	}
	o.heads = o.heads[:0]
	for _, slot := range slots {
		o.heads = append(o.heads, headed{head(o.key(slot)[shared:]), slot})
	}
	slices.SortFunc(o.heads, func(a, b headed) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(o.key(a.slot), o.key(b.slot))
	})
	for i, h := range o.heads {
		slots[i] = h.slot
	}
}

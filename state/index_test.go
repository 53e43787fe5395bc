package state

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// Keys with the same hash are told apart, however many there are.
func TestIndexTellsKeysOfOneHashApart(t *testing.T) {
	x := newIndex(maphash.MakeSeed())
	var keys [][]byte
	keyOf := func(s Slot) []byte { return keys[s] }
	for i := range 3 * leastIndex {
		k := []byte(fmt.Sprint(i))
		hash := uint32(i % 100)
		if slot, ok := x.find(hash, k, keyOf); ok {
			t.Fatalf("key %s is at slot %d before it was added", k, slot)
		}
		keys = append(keys, k)
		x.add(hash, Slot(i))
	}
	for i, k := range keys {
		if slot, ok := x.find(uint32(i%100), k, keyOf); !ok || slot != Slot(i) {
			t.Errorf("key %s: got slot %d, %v", k, slot, ok)
		}
	}
	x.reset(keptIndex)
	if slot, ok := x.find(0, keys[0], keyOf); ok {
		t.Errorf("after a reset key 0 is at slot %d", slot)
	}
}

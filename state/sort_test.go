package state

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Slots are sorted as their keys are in the store: by task, then by bytes.
func TestSortIsByKey(t *testing.T) {
	s := open(t, inMemory())
	rapid.Check(t, func(t *rapid.T) {
		o := s.NewOverlay()
		var slots []Slot
		for range rapid.IntRange(0, 50).Draw(t, "keys") {
			task := rapid.SampledFrom([]int32{0, 1, 255, 256, 1 << 30}).Draw(t, "task")
			k := genKey().Draw(t, "key")
			if rapid.Bool().Draw(t, "long") {
				k.User = append([]byte("a-user-with-a-long-name-"), k.User...)
			}
			slots = append(slots, o.Want(task, k))
		}
		slices.Sort(slots)
		slots = slices.Compact(slots)
		o.sort(slots)
		if !slices.IsSortedFunc(slots, func(a, b Slot) int { return bytes.Compare(o.key(a), o.key(b)) }) {
			t.Fatal("not in the order of their keys")
		}
	})
}

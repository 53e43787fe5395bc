package state

import "testing"

// What was added is found, in whichever layer; of the rest hardly anything is.
func TestFilter(t *testing.T) {
	const keys = 100_000
	r := random(1)
	var f filter
	added := make([]uint64, keys)
	for i := range added {
		added[i] = r.Uint64()
		if !f.add(added[i]) {
			f.grow(f.next())
			f.add(added[i])
		}
	}
	for _, hash := range added {
		if !f.has(hash) {
			t.Fatal("a hash that was added is not found")
		}
	}
	found := 0
	for range keys {
		if f.has(r.Uint64()) {
			found++
		}
	}
	if found > keys/200 {
		t.Errorf("%d of %d hashes are found that were not added", found, keys)
	}
	if len(f.layers) != 4 || f.bytes() != 15*leastLayer {
		t.Errorf("%d bytes in %d layers", f.bytes(), len(f.layers))
	}
}

func TestFilterDoesNotAllocate(t *testing.T) {
	var f filter
	f.grow(f.next())
	r := random(2)
	if n := testing.AllocsPerRun(100, func() {
		f.add(r.Uint64())
		f.has(r.Uint64())
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

package state

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The last change of a key wins, and keys come in order, whatever they share.
func TestChunkSortsAndKeepsTheLast(t *testing.T) {
	c := new(chunk)
	rapid.Check(t, func(t *rapid.T) {
		c.reset()
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "prefix")
		want := map[string][]byte{}
		for range rapid.IntRange(0, 200).Draw(t, "changes") {
			key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 255}), 0, 12).Draw(t, "key")
			var value []byte
			if rapid.Bool().Draw(t, "put") {
				value = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "value")...)
			}
			c.add(prefix, key, value)
			want[string(prefix)+string(key)] = value
		}
		c.sort()
		got, order := written(c)
		if !slices.Equal(order, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("got keys %q of %q", order, want)
		}
		for key, value := range want {
			if !bytes.Equal(got[key], value) || (got[key] == nil) != (value == nil) {
				t.Fatalf("key %q: got %q, want %q", key, got[key], value)
			}
		}
	})
}

// written returns what a chunk writes: values by key, nil for a deletion, and
// the keys in order.
func written(c *chunk) (map[string][]byte, []string) {
	values, order := map[string][]byte{}, []string(nil)
	note := func(key, value []byte) error {
		values[string(key)] = value
		order = append(order, string(key))
		return nil
	}
	_ = c.write(note, func(key []byte) error { return note(key, nil) })
	return values, order
}

// A record that fits no block gets one of its own, which is not kept.
func TestChunkMemory(t *testing.T) {
	c := new(chunk)
	large := bytes.Repeat([]byte("x"), 3*chunkBlock)
	for range 2 {
		c.add(nil, []byte("b"), []byte("small"))
		c.add(nil, []byte("a"), large)
		for i := range 20_000 {
			c.add([]byte("user"), stateKey(userName(i), "t"), large[:100])
		}
		if size := c.size; size < 3*chunkBlock+20_000*100 || size > 7*chunkBlock {
			t.Errorf("size %d", size)
		}
		c.sort()
		if got, order := written(c); len(order) != 20_002 || !bytes.Equal(got["a"], large) {
			t.Errorf("%d keys, a value of %d bytes", len(order), len(got["a"]))
		}
		c.reset()
		if c.size != 0 {
			t.Errorf("size %d after reset", c.size)
		}
	}
	for _, b := range c.blocks {
		if cap(b) > chunkBlock {
			t.Errorf("a block of %d bytes is kept", cap(b))
		}
	}
}

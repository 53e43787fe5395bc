package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// chunkBlock is the size of the blocks that a chunk takes its memory in.
const chunkBlock = 1 << 20

// chunk collects the changes of one task, and sorts them. Keys and values lie
// in blocks without pointers, so the collector has nothing to walk.
type chunk struct {
	blocks  [][]byte
	used    int // blocks in use; the last of them is being filled
	changes []change
	size    int // bytes in use, with bookkeeping
}

// change names a record in a chunk: two lengths, key, value.
type change struct {
	head  uint64 // of the key behind what all keys share; set by sort
	block uint32
	start uint32
}

const (
	changeSize   = 16
	changeHeader = 8
	deleted      = ^uint32(0) // in place of a value's length
)

// add copies a change; the key is given in two parts. A nil value deletes.
func (c *chunk) add(prefix, key, value []byte) {
	keyLen, valueLen := len(prefix)+len(key), uint32(len(value))
	if value == nil {
		valueLen = deleted
	}
	need := changeHeader + keyLen + len(value)
	b := c.room(need)
	c.changes = append(c.changes, change{block: uint32(c.used - 1), start: uint32(len(*b))})
	*b = binary.LittleEndian.AppendUint32(*b, uint32(keyLen))
	*b = binary.LittleEndian.AppendUint32(*b, valueLen)
	*b = append(append(append(*b, prefix...), key...), value...)
	c.size += need + changeSize
}

// room returns a block that takes n more bytes.
func (c *chunk) room(n int) *[]byte {
	if c.used > 0 {
		if b := &c.blocks[c.used-1]; cap(*b)-len(*b) >= n {
			return b
		}
	}
	if c.used == len(c.blocks) {
		c.blocks = append(c.blocks, nil)
	}
	b := &c.blocks[c.used]
	if cap(*b) < n {
		*b = make([]byte, 0, max(n, chunkBlock))
	}
	c.used++
	return b
}

// at returns a change's key and value, a nil value for a deletion. They hold
// until reset.
func (c *chunk) at(e change) (key, value []byte) {
	b := c.blocks[e.block][e.start:]
	keyLen, valueLen := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	b = b[changeHeader:]
	key, b = b[:keyLen:keyLen], b[keyLen:]
	if valueLen == deleted {
		return key, nil
	}
	return key, b[:valueLen:valueLen]
}

func (c *chunk) key(e change) []byte {
	key, _ := c.at(e)
	return key
}

// sort puts the changes in key order and leaves out all but the last of a key.
// Most are told apart by a few bytes behind what all keys begin with.
func (c *chunk) sort() {
	shared := c.sharedPrefix()
	for i := range c.changes {
		c.changes[i].head = head(c.key(c.changes[i])[shared:])
	}
	slices.SortFunc(c.changes, func(a, b change) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(bytes.Compare(c.key(a), c.key(b)), cmp.Compare(b.block, a.block), cmp.Compare(b.start, a.start))
	})
	c.changes = slices.CompactFunc(c.changes, func(a, b change) bool {
		return a.head == b.head && bytes.Equal(c.key(a), c.key(b))
	})
}

// write calls set or del for each change, in key order after sort. It looks up
// some at a time: nearly each is a cache miss, and those of a group overlap.
func (c *chunk) write(set func(key, value []byte) error, del func(key []byte) error) error {
	var found [16]struct{ key, value []byte }
	for group := range slices.Chunk(c.changes, len(found)) {
		for i, e := range group {
			found[i].key, found[i].value = c.at(e)
		}
		for _, f := range found[:len(group)] {
			var err error
			if f.value == nil {
				err = del(f.key)
			} else {
				err = set(f.key, f.value)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedPrefix returns how many bytes all keys begin with.
func (c *chunk) sharedPrefix() int {
	if len(c.changes) == 0 {
		return 0
	}
	first := c.key(c.changes[0])
	shared := len(first)
	for _, e := range c.changes[1:] {
		key := c.key(e)
		if len(key) < shared || !bytes.Equal(key[:shared], first[:shared]) {
			shared = commonPrefix(key, first[:shared])
		}
	}
	return shared
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// head returns the first bytes of b as a number that sorts as they do, or
// equal where they do not tell.
func head(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var padded [8]byte
	copy(padded[:], b)
	return binary.BigEndian.Uint64(padded[:])
}

// reset empties the chunk and keeps its memory.
func (c *chunk) reset() {
	for i, b := range c.blocks {
		c.blocks[i] = b[:0]
		if cap(b) > chunkBlock {
			c.blocks[i] = nil
		}
	}
	c.changes = c.changes[:0]
	c.used, c.size = 0, 0
}

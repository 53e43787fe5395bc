package state

import "math/bits"

// filter is a set of hashes that is sometimes wrong about what is not in it, and
// never about what is: a Bloom filter of blocks, in each of which a hash has a bit
// of each word, so a look is one cache miss. It grows by layers, each twice the
// one before.
type filter struct {
	layers [][]filterBlock
	room   int    // hashes that the last layer still takes
	sum    uint32 // of what was touched, so that it is
}

// filterBlock is half a line of the processor's cache.
type filterBlock [8]uint32

const (
	filterBlockBytes = 32
	filterBlockKeys  = 16       // at 16 bits a key one look in a thousand is in vain
	leastLayer       = 16 << 10 // bytes
)

// filterSalts are odd numbers that spread a hash over the words of a block, those
// of Parquet's filters.
var filterSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// add enters a hash. It returns false where the filter has to grow before.
func (f *filter) add(hash uint64) bool {
	if f.has(hash) {
		return true
	}
	if f.room == 0 {
		return false
	}
	f.room--
	last := f.layers[len(f.layers)-1]
	b := &last[blockOf(hash, len(last))]
	for i, salt := range filterSalts {
		b[i] |= 1 << (uint32(hash) * salt >> 27)
	}
	return true
}

// has tells whether a hash may have been added.
func (f *filter) has(hash uint64) bool {
	for i := len(f.layers) - 1; i >= 0; i-- { // most are in the last one
		if layer := f.layers[i]; layer[blockOf(hash, len(layer))].has(uint32(hash)) {
			return true
		}
	}
	return false
}

// touch reads a little of all that a look at some hashes may read, in a loop that
// waits for nothing.
func (f *filter) touch(hashes []uint64) {
	sum := f.sum
	for _, layer := range f.layers {
		for _, hash := range hashes {
			sum += layer[blockOf(hash, len(layer))][0]
		}
	}
	f.sum = sum
}

func (b *filterBlock) has(hash uint32) bool {
	for i, salt := range filterSalts {
		if b[i]&(1<<(hash*salt>>27)) == 0 {
			return false
		}
	}
	return true
}

// blockOf picks a block by the upper half of a hash; the lower picks the bits.
func blockOf(hash uint64, blocks int) int {
	block, _ := bits.Mul64(hash, uint64(blocks))
	return int(block)
}

// next returns how much memory the filter would grow by, in bytes.
func (f *filter) next() int {
	if n := len(f.layers); n > 0 {
		return 2 * len(f.layers[n-1]) * filterBlockBytes
	}
	return leastLayer
}

// grow adds a layer.
func (f *filter) grow(bytes int) {
	f.layers = append(f.layers, make([]filterBlock, bytes/filterBlockBytes))
	f.room = bytes / filterBlockBytes * filterBlockKeys
}

func (f *filter) bytes() (n int) {
	for _, layer := range f.layers {
		n += len(layer) * filterBlockBytes
	}
	return n
}

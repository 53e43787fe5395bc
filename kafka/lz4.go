package kafka

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Decompressor decompresses what was fetched. LZ4 frames as Kafka's clients write
// them, of blocks that stand alone, are decompressed block by block into memory of
// their size: the library's reader copies each block once more and verifies
// checksums of their own, though the batch around them has one that was verified.
// Everything else is the library's.
type Decompressor struct {
	rest   kgo.Decompressor
	blocks sync.Pool    // of *[]byte, to decompress into
	ratio  atomic.Int64 // how well frames were compressed lately, in ratioUnit; 0: not known
}

// NewDecompressor returns a decompressor for any number of clients.
func NewDecompressor() *Decompressor { return &Decompressor{rest: kgo.DefaultDecompressor()} }

// maxBatch bounds what a batch may decompress to, bytes; the client's own bound.
const maxBatch = 1 << 30

// Decompress implements kgo.Decompressor.
func (d *Decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecLz4 {
		return d.rest.Decompress(src, codec)
	}
	if dst, ok := d.asBefore(src); ok {
		return dst, nil
	}
	buf, ok := d.blocks.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer d.blocks.Put(buf)
	f := frame{src: src, dst: (*buf)[:0]}
	ok = f.decompress()
	*buf = f.dst
	switch {
	case ok:
		d.learn(len(src), len(f.dst))
		return bytes.Clone(f.dst), nil
	case f.tooLarge:
		return nil, kgo.ErrMaxDecompress
	}
	return d.rest.Decompress(src, codec) // which has an error for what is none
}

const (
	ratioUnit = 1 << 10 // a ratio of 1
	maxRatio  = 16      // beyond it the next batch's memory is not taken on trust
)

// asBefore decompresses a frame that is no better compressed than those before it
// into memory of its own at once. It says no where that memory does not suffice.
func (d *Decompressor) asBefore(src []byte) ([]byte, bool) {
	ratio := d.ratio.Load()
	if ratio == 0 || ratio > maxRatio*ratioUnit {
		return nil, false
	}
	room := int64(len(src)) * ratio / ratioUnit
	f := frame{src: src, dst: make([]byte, 0, room+room/16+64), fixed: true}
	if !f.decompress() {
		return nil, false
	}
	d.learn(len(src), len(f.dst))
	if cap(f.dst)-len(f.dst) > len(f.dst)/4+64 {
		return bytes.Clone(f.dst), true // the rest would stay as long as the records
	}
	return f.dst, true
}

// learn remembers how well a frame was compressed: at once where it is better than
// those before, else little by little.
func (d *Decompressor) learn(compressed, size int) {
	before := d.ratio.Load()
	d.ratio.Store(max(int64(size)*ratioUnit/int64(compressed), before-before/64))
}

// frame is an LZ4 frame that is decompressed (LZ4 Frame Format 1.6.2).
type frame struct {
	src, dst []byte
	fixed    bool // dst has all the room that there is
	tooLarge bool
}

// What a frame's first bytes tell.
const (
	lz4Magic          = 0x184d2204
	lz4Version        = 1 << 6
	lz4VersionMask    = 3 << 6
	lz4Independent    = 1 << 5
	lz4BlockChecksum  = 1 << 4
	lz4ContentSize    = 1 << 3
	lz4ContentSum     = 1 << 2
	lz4Stored         = 1 << 31 // of a block's size: it is not compressed
	lz4ChecksumLength = 4
)

// decompress returns false for what the library has to look at.
func (f *frame) decompress() bool {
	if len(f.src) < 7 || binary.LittleEndian.Uint32(f.src) != lz4Magic {
		return false
	}
	flags, size := f.src[4], blockSize(f.src[5])
	known := byte(lz4VersionMask | lz4Independent | lz4BlockChecksum | lz4ContentSize | lz4ContentSum)
	if flags&(lz4VersionMask|lz4Independent) != lz4Version|lz4Independent || flags&^known != 0 || size == 0 {
		return false
	}
	head, tail := 7, 0
	if flags&lz4ContentSize != 0 {
		head += 8
	}
	if flags&lz4BlockChecksum != 0 {
		tail = lz4ChecksumLength
	}
	if len(f.src) < head {
		return false
	}
	f.src = f.src[head:]
	for {
		more, ok := f.block(size, tail)
		if !ok {
			return false
		}
		if !more {
			break
		}
	}
	if flags&lz4ContentSum != 0 {
		return len(f.src) == lz4ChecksumLength
	}
	return len(f.src) == 0 // else another frame follows
}

// blockSize returns the largest size of a block, bytes; 0 for what is none.
func blockSize(descriptor byte) int {
	switch descriptor {
	case 4 << 4, 5 << 4, 6 << 4, 7 << 4:
		return 1 << (8 + 2*(descriptor>>4))
	}
	return 0
}

// block decompresses the next block, which has so many bytes behind it. It is
// the last one where more is false.
func (f *frame) block(size, tail int) (more, ok bool) {
	if len(f.src) < 4 {
		return false, false
	}
	head := binary.LittleEndian.Uint32(f.src)
	f.src = f.src[4:]
	if head == 0 {
		return false, true
	}
	n := int(head &^ lz4Stored)
	if n > size || len(f.src) < n+tail {
		return false, false
	}
	if len(f.dst)+size > maxBatch {
		f.tooLarge = true
		return false, false
	}
	if f.fixed {
		size = min(size, cap(f.dst)-len(f.dst))
	} else if cap(f.dst)-len(f.dst) < size {
		f.dst = append(make([]byte, 0, 2*cap(f.dst)+size), f.dst...)
	}
	data := f.src[:n]
	f.src = f.src[n+tail:]
	if head&lz4Stored != 0 {
		if n > size {
			return false, false
		}
		f.dst = append(f.dst, data...)
		return true, true
	}
	room := f.dst[len(f.dst) : len(f.dst)+size]
	m, err := lz4.UncompressBlock(data, room)
	if err != nil {
		return false, false
	}
	f.dst = f.dst[:len(f.dst)+m]
	return true, true
}

package kafka

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Compressor compresses what is produced into LZ4 frames that any client of Kafka
// reads. It is half as quick again as the library's writer, which copies what it
// is given, adds a checksum of the content, though the batch around it has one, and
// looks at more places for a match.
type Compressor struct {
	encoders sync.Pool // of *encoder
}

// NewCompressor returns a compressor for any number of clients.
func NewCompressor() *Compressor { return &Compressor{} }

// Compress implements kgo.Compressor. What does not get smaller stays as it is.
func (c *Compressor) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	e, ok := c.encoders.Get().(*encoder)
	if !ok {
		e = &encoder{}
	}
	defer c.encoders.Put(e)
	dst.Grow(frameRoom(len(src)))
	frame := e.frame(dst.AvailableBuffer(), src)
	if len(frame) >= len(src) {
		return src, kgo.CodecNone
	}
	return frame, kgo.CodecLz4
}

// encoder writes LZ4 frames (LZ4 Frame Format 1.6.2, LZ4 Block Format).
type encoder struct {
	// seen is where in the block a hash was seen last, modulo the largest distance
	// of a match: an entry may be of any place, or of none.
	seen [1 << hashBits]uint16
}

const (
	hashBits = 14
	minMatch = 4
	inToken  = 15 // a length from here on goes on behind its token
	maxBlock = 4 << 20
	// blockTail is what a block has at its end without a match, bytes: the format
	// asks for 12, and with more, words may be read and written whole.
	blockTail = 32
)

// frameRoom returns how many bytes the frame of n bytes may take as it is written.
func frameRoom(n int) int { return n + n/255 + 128 }

// frame appends src's frame to dst, which has the room.
func (e *encoder) frame(dst, src []byte) []byte {
	dst = appendFrameHeader(dst, len(src))
	for len(src) > 0 {
		part := src[:min(len(src), maxBlock)]
		src = src[len(part):]
		head := len(dst)
		size := e.block(dst[head+4:cap(dst)], part)
		length := uint32(size)
		if size >= len(part) {
			size = copy(dst[head+4:cap(dst)], part)
			length = uint32(size) | lz4Stored
		}
		dst = dst[:head+4+size]
		binary.LittleEndian.PutUint32(dst[head:], length)
	}
	return append(dst, 0, 0, 0, 0)
}

// appendFrameHeader appends that of a frame of n bytes, in the smallest blocks
// that leave it whole. Its last byte is the checksum of the two before.
func appendFrameHeader(dst []byte, n int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	const flags = lz4Version | lz4Independent
	switch {
	case n <= 64<<10:
		return append(dst, flags, 4<<4, 0x82)
	case n <= 256<<10:
		return append(dst, flags, 5<<4, 0xfb)
	case n <= 1<<20:
		return append(dst, flags, 6<<4, 0x51)
	}
	return append(dst, flags, 7<<4, 0x73)
}

// block compresses src into dst and returns the length. It may get longer than
// src, but no longer than frameRoom.
func (e *encoder) block(dst, src []byte) int {
	clear(e.seen[:]) // the same input makes the same output
	n, done := 0, 0
	for {
		at, distance := e.search(src, done)
		if distance == 0 {
			break
		}
		for at > done && at > distance && src[at-1] == src[at-distance-1] {
			at--
		}
		end := matchEnd(src, at+minMatch, distance)
		n = putSequence(dst, n, src[done:], at-done, distance, end-at)
		done = end
	}
	return putLast(dst, n, src[done:])
}

// search returns the next match from start on and how far back it was seen; a
// distance of 0 means that there is none. The longer it finds nothing, the fewer
// places it tries.
func (e *encoder) search(src []byte, start int) (at, distance int) {
	for at = start; at < len(src)-blockTail; at += 2 + (at-start)>>5 {
		word := binary.LittleEndian.Uint64(src[at:])
		here, next := blockHash(word), blockHash(word>>8)
		distance = int(uint16(at) - e.seen[here])
		distanceNext := int(uint16(at+1) - e.seen[next])
		e.seen[here], e.seen[next] = uint16(at), uint16(at+1)
		if isMatch(src, at, distance, uint32(word)) {
			return at, distance
		}
		if isMatch(src, at+1, distanceNext, uint32(word>>8)) {
			return at + 1, distanceNext
		}
	}
	return 0, 0
}

func isMatch(src []byte, at, distance int, word uint32) bool {
	return distance != 0 && distance <= at && binary.LittleEndian.Uint32(src[at-distance:]) == word
}

// blockHash is of the lower seven bytes: shorter matches cost more time than they
// save room.
func blockHash(word uint64) uint64 {
	const prime = 58295818150454627
	return word << 8 * prime >> (64 - hashBits)
}

// matchEnd returns the end of a match that holds up to at.
func matchEnd(src []byte, at, distance int) int {
	for at <= len(src)-blockTail {
		differ := binary.LittleEndian.Uint64(src[at:]) ^ binary.LittleEndian.Uint64(src[at-distance:])
		if differ != 0 {
			return at + bits.TrailingZeros64(differ)/8
		}
		at += 8
	}
	return at
}

// putSequence writes literals, the first bytes of src, and the match behind them
// at n of dst, and returns where it ends. Of src there are blockTail bytes more.
func putSequence(dst []byte, n int, src []byte, literals, distance, match int) int {
	token := n
	if literals < inToken {
		dst[n] = byte(literals << 4)
		copy(dst[n+1:n+17], src[:16]) // quicker than as many as there are
		n += 1 + literals
	} else {
		n = putLiterals(dst, n, src, literals)
	}
	binary.LittleEndian.PutUint16(dst[n:], uint16(distance))
	n += 2
	match -= minMatch
	if match < inToken {
		dst[token] |= byte(match)
		return n
	}
	dst[token] |= inToken
	return putLength(dst, n, match-inToken)
}

// putLiterals writes what are too many literals for a token alone.
func putLiterals(dst []byte, n int, src []byte, literals int) int {
	dst[n] = inToken << 4
	n = putLength(dst, n+1, literals-inToken)
	if literals <= blockTail {
		copy(dst[n:n+blockTail], src[:blockTail])
		return n + literals
	}
	return n + copy(dst[n:], src[:literals])
}

// putLast writes the literals at a block's end.
func putLast(dst []byte, n int, src []byte) int {
	if len(src) < inToken {
		dst[n] = byte(len(src) << 4)
		return n + 1 + copy(dst[n+1:], src)
	}
	dst[n] = inToken << 4
	n = putLength(dst, n+1, len(src)-inToken)
	return n + copy(dst[n:], src)
}

// putLength writes the rest of a length that its token has no room for.
func putLength(dst []byte, n, rest int) int {
	for ; rest >= 255; rest -= 255 {
		dst[n] = 255
		n++
	}
	dst[n] = byte(rest)
	return n + 1
}

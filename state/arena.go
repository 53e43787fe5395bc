package state

const chunkBytes = 256 << 10

// ref names bytes of an arena.
type ref struct{ chunk, start uint32 }

// arena hands out bytes that stay where they are until it is reset. They are
// named by numbers, so that the collector has nothing to follow.
type arena struct {
	chunks [][]byte
	free   int // in the last chunk
	bytes  int // of all chunks
}

// take returns n bytes.
func (a *arena) take(n int) ref {
	if n > a.free {
		a.grow(n)
	}
	last := len(a.chunks) - 1
	r := ref{uint32(last), uint32(len(a.chunks[last]) - a.free)}
	a.free -= n
	return r
}

// at returns n bytes that were taken.
func (a *arena) at(r ref, n uint32) []byte { return a.chunks[r.chunk][r.start : r.start+n : r.start+n] }

// copy returns where a copy of b is.
func (a *arena) copy(b []byte) ref {
	r := a.take(len(b))
	copy(a.chunks[r.chunk][r.start:], b)
	return r
}

func (a *arena) grow(n int) {
	a.free = max(n, chunkBytes)
	a.bytes += a.free
	var chunk []byte
	if used := len(a.chunks); used < cap(a.chunks) { // one of before the reset
		chunk = a.chunks[: used+1 : cap(a.chunks)][used]
	}
	if len(chunk) < n {
		chunk = make([]byte, a.free)
	}
	a.free = len(chunk)
	a.chunks = append(a.chunks, chunk)
}

// reset takes everything back. It keeps the memory of some chunks.
func (a *arena) reset(kept int) {
	all := a.chunks[:cap(a.chunks)]
	for i, c := range all {
		if i >= kept || len(c) > chunkBytes {
			all[i] = nil
		}
	}
	a.chunks, a.free, a.bytes = a.chunks[:0], 0, 0
}

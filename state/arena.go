package state

const (
	chunkBytes = 256 << 10
	keptChunks = 32 // 8 MiB
)

// arena hands out bytes that stay where they are until it is reset.
type arena struct {
	chunks [][]byte
	used   int // chunks in use; the last of them is being filled
}

// copy returns a copy of b.
func (a *arena) copy(b []byte) []byte {
	if a.used == 0 || cap(a.chunks[a.used-1])-len(a.chunks[a.used-1]) < len(b) {
		a.grow(len(b))
	}
	chunk := &a.chunks[a.used-1]
	start := len(*chunk)
	*chunk = append(*chunk, b...)
	return (*chunk)[start:len(*chunk):len(*chunk)]
}

func (a *arena) grow(n int) {
	if a.used == len(a.chunks) {
		a.chunks = append(a.chunks, nil)
	}
	if cap(a.chunks[a.used]) < n {
		a.chunks[a.used] = make([]byte, 0, max(n, chunkBytes))
	}
	a.used++
}

// reset takes everything back. It keeps memory for the next use, up to a bound.
func (a *arena) reset() {
	a.chunks = a.chunks[:min(a.used, len(a.chunks), keptChunks)]
	for i, c := range a.chunks {
		a.chunks[i] = c[:0]
		if cap(c) > chunkBytes {
			a.chunks[i] = nil
		}
	}
	a.used = 0
}

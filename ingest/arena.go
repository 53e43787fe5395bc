package ingest

// blockSize is that of reads and of the arena, in bytes.
const blockSize = 256 << 10

// arena holds what records keep of a file, in blocks that are freed when the
// last of their records is.
type arena struct{ block []byte }

func (a *arena) copy(b []byte) []byte {
	if len(b) > cap(a.block)-len(a.block) {
		a.block = make([]byte, 0, max(blockSize, len(b)))
	}
	start := len(a.block)
	a.block = append(a.block, b...)
	return a.block[start:len(a.block):len(a.block)]
}

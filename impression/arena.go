package impression

// arena lends memory until it is reset. It grows by chunks, so that what was
// lent never moves, and keeps the last chunk.
type arena struct {
	bytes  []byte
	values []Value
}

const (
	minByteChunk  = 16 << 10
	maxByteChunk  = 1 << 20
	minValueChunk = 256
	maxValueChunk = 16 << 10
)

// lend returns an empty slice that has room for n bytes.
func (a *arena) lend(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, chunk(n, cap(a.bytes), minByteChunk, maxByteChunk))
	}
	at := len(a.bytes)
	a.bytes = a.bytes[:at+n]
	return a.bytes[at : at : at+n]
}

// lendValues returns n absent values.
func (a *arena) lendValues(n int) []Value {
	if cap(a.values)-len(a.values) < n {
		a.values = make([]Value, 0, chunk(n, cap(a.values), minValueChunk, maxValueChunk))
	}
	at := len(a.values)
	a.values = a.values[:at+n]
	lent := a.values[at : at+n : at+n]
	clear(lent)
	return lent
}

// reset takes everything back. What was made for one huge record is given up.
func (a *arena) reset() {
	a.bytes, a.values = a.bytes[:0], a.values[:0]
	if cap(a.bytes) > maxByteChunk {
		a.bytes = nil
	}
	if cap(a.values) > maxValueChunk {
		a.values = nil
	}
}

// chunk returns the size of a new chunk: twice the last one within the limits,
// and at least what is needed.
func chunk(need, last, smallest, largest int) int {
	return max(need, min(max(2*last, smallest), largest))
}

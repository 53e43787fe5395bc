package processor

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// slab holds the records of a transaction and the headers of its changes, for the
// next one to use the memory again: each of its own is work for the collector. Of
// an array that was outgrown, the part in use stays where it is.
type slab struct {
	all   []kgo.Record
	named []kgo.RecordHeader
}

// keptRecords is how many records' memory a slab keeps: some 20 MB with headers.
const keptRecords = 1 << 16

// record returns a copy that stays where it is until reset.
func (s *slab) record(r kgo.Record) *kgo.Record {
	s.all = append(s.all, r)
	return &s.all[len(s.all)-1]
}

// headers returns a copy that stays until reset.
func (s *slab) headers(in []schemas.Header) []kgo.RecordHeader {
	start := len(s.named)
	for _, h := range in {
		s.named = append(s.named, kgo.RecordHeader(h))
	}
	return s.named[start:len(s.named):len(s.named)]
}

// reset takes everything back. The client must be done with it.
func (s *slab) reset() {
	s.all, s.named = reuse(s.all, keptRecords), reuse(s.named, 3*keptRecords)
}

// reuse empties a slice, so that it holds on to nobody's memory; it keeps its own
// up to a capacity.
func reuse[T any](in []T, kept int) []T {
	if cap(in) > kept {
		return nil
	}
	clear(in)
	return in[:0]
}

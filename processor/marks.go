package processor

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

const (
	// rereadRecords bounds, for a process, how many records lie behind its marks,
	// and so what a restart reads again: some tenths of a second at full speed.
	rereadRecords = 400_000
	// segments is into how many parts the moves between mark and now are cut.
	segments = 16
)

// marks tell from where on each input has impressions that have moved last-seen
// times of which the changelog does not know yet.
type marks struct {
	interval time.Duration // after which a move is logged
	rules    string        // by which impressions are read that have moved something
	off      bool          // no more of that is put off
	most     int           // records that may lie behind the marks
	segments []segment     // oldest first
	owners   map[int32]*task
	at       map[partition]kgo.EpochOffset // what is committed, of partitions that were read
}

// segment is what some transactions after one another have moved and not logged.
type segment struct {
	moves   int64 // the overlay's count at the end
	begun   time.Time
	closed  bool
	records int                        // that were read from then on, up to the next one
	marks   map[partition]schemas.Mark // where each partition was read from
}

func newMarks(o *Options) marks {
	return marks{
		interval: o.Config.Processor.FlushInterval, rules: o.rules.hash, most: rereadRecords / Workers(o.Config, o.Topics.Tasks),
		owners: map[int32]*task{}, at: map[partition]kgo.EpochOffset{},
	}
}

// add takes what a transaction has read, whether that has moved something without
// logging it, and how many moves there are after it.
func (m *marks) add(b *batch, moved bool, moves int64, owns func(int32) *task, now time.Time) {
	for i := range b.begins {
		m.at[b.spans[i].partition] = b.spans[i].next
	}
	last := m.last()
	if moved && (last == nil || last.closed || now.Sub(last.begun) >= m.interval/segments || last.records >= m.most/segments) {
		m.segments = append(m.segments, segment{begun: now, marks: map[partition]schemas.Mark{}})
		last = m.last()
	}
	if last == nil {
		return
	}
	last.records += b.count
	if !moved {
		return
	}
	last.moves = moves
	for i, from := range b.begins {
		p := b.spans[i].partition
		t := owns(p.number)
		if t == nil {
			continue // beyond the tasks: all of it goes on to the inbox
		}
		if _, ok := last.marks[p]; !ok {
			last.marks[p] = schemas.Mark{From: from, Rules: m.rules}
		}
		m.owners[p.number] = t
	}
}

func (m *marks) last() *segment {
	if len(m.segments) == 0 {
		return nil
	}
	return &m.segments[len(m.segments)-1]
}

// due returns how many of the segments it is time to log.
func (m *marks) due(now time.Time) int {
	records, n := 0, 0
	for i := range m.segments {
		records += m.segments[i].records
	}
	for ; n < len(m.segments) && (now.Sub(m.segments[n].begun) >= m.interval || records > m.most); n++ {
		records -= m.segments[n].records
	}
	return n
}

// before returns how many of the segments end before a count of moves or there.
func (m *marks) before(moves int64) int {
	n := 0
	for n < len(m.segments) && m.segments[n].moves <= moves {
		n++
	}
	return n
}

// places returns those of the partitions of the first n segments.
func (m *marks) places(n int) []span {
	places := map[partition]kgo.EpochOffset{}
	for _, s := range m.segments[:n] {
		for p := range s.marks {
			places[p] = m.at[p]
		}
	}
	all := make([]span, 0, len(places))
	for p, at := range places {
		all = append(all, span{p, at})
	}
	return all
}

// log takes the first n segments for logged.
func (m *marks) log(n int) { m.segments = slices.Delete(m.segments, 0, n) }

// of returns a partition's mark, the zero one where all of it is logged.
func (m *marks) of(p partition) schemas.Mark {
	var least schemas.Mark
	for i := range m.segments {
		// A log that has lost its end is read from further back in a later segment.
		if mark, ok := m.segments[i].marks[p]; ok && (least == schemas.Mark{} || mark.From < least.From) {
			least = mark
		}
	}
	return least
}

// forget drops what is known of a task's partitions.
func (m *marks) forget(number int32) {
	drop := func(p partition) bool { return p.number == number }
	for i := range m.segments {
		maps.DeleteFunc(m.segments[i].marks, func(p partition, _ schemas.Mark) bool { return drop(p) })
	}
	maps.DeleteFunc(m.at, func(p partition, _ kgo.EpochOffset) bool { return drop(p) })
	delete(m.owners, number)
}

// adopt takes over what a restore has read again for a task.
func (m *marks) adopt(t *task, r *reread, moves int64, now time.Time) {
	s := segment{moves: moves, begun: now, closed: true, marks: map[partition]schemas.Mark{}}
	for p, place := range r.places {
		s.marks[p], m.at[p] = place.mark, place.at
		s.records += int(place.at.Offset - place.mark.From)
	}
	m.owners[t.number] = t
	m.segments = append(m.segments, s)
}

package processor

import (
	"strings"

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadLetterReserve is kept free in a dead letter for its own headers and the
// record format.
const deadLetterReserve = 64 << 10

// letter is an element that is refused: its own bytes, and why.
type letter struct {
	place          trait.Place
	value          []byte
	cut            bool // value is not all of it
	stage, message string
	reason         impression.Reason
}

// deadLetter sends an element to the dead letters, with its record's key and
// headers.
func (b *outbox) deadLetter(a *arrival, l letter) {
	key, value, kept, cut := fitDeadLetter(a.record.Key, l.value, ownHeaders(a), b.limit(b.o.Topics.DeadLetters.Name))
	why := schemas.DeadLetter{
		Place: l.place, Stage: l.stage, Reason: string(l.reason), Message: clip(l.message), Truncated: cut || l.cut,
	}
	b.add(kgo.Record{
		Topic:     b.o.Topics.DeadLetters.Name,
		Partition: l.place.Partition % b.o.Topics.DeadLetters.Partitions,
		Key:       key, Value: value, Headers: append(kept, fleet.RecordHeaders(why.Headers())...),
	})
	b.tally.impression(l.place.Topic, resultDeadLetter)
	b.tally.deadLetters[l.reason]++
}

// maxMessage bounds what a dead letter says of itself, bytes: an error may quote
// what is as large as a record.
const maxMessage = 1 << 10

func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// ownHeaders are those that the record had when it was first read.
func ownHeaders(a *arrival) []kgo.RecordHeader {
	var own []kgo.RecordHeader
	for _, h := range a.record.Headers {
		if !a.forwarded || !schemas.IsInboxHeader(h.Key) {
			own = append(own, h)
		}
	}
	return own
}

// fitDeadLetter cuts what a topic that takes limit bytes would refuse: the
// value first, then the key; headers of more than half the room are left out.
func fitDeadLetter(key, value []byte, headers []kgo.RecordHeader, limit int32) ([]byte, []byte, []kgo.RecordHeader, bool) {
	room := max(int(limit)-deadLetterReserve, int(limit)/2)
	used, cut := size(nil, nil, headers)-recordOverhead, false
	if used > room/2 {
		headers, used, cut = nil, 0, true
	}
	room -= used
	if len(key) > room/2 {
		key, cut = key[:room/2], true
	}
	room -= len(key)
	if len(value) > room {
		value, cut = value[:room], true
	}
	return key, value, headers, cut
}

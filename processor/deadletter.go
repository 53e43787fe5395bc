package processor

import (
	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadLetterReserve is kept free in a dead letter for its own headers and the
// record format.
const deadLetterReserve = 64 << 10

// deadLetter refuses an element: value, its own bytes, goes to the dead letters
// with the reason, its first place and its record's headers.
func (b *outbox) deadLetter(a *arrival, place trait.Place, value []byte, stage string, reason impression.Reason, message string) {
	key, value, kept, cut := fitDeadLetter(a.record.Key, value, ownHeaders(a), b.limit(b.o.Topics.DeadLetters.Name))
	letter := schemas.DeadLetter{Place: place, Stage: stage, Reason: string(reason), Message: message, Truncated: cut}
	b.records = append(b.records, &kgo.Record{
		Topic:     b.o.Topics.DeadLetters.Name,
		Partition: place.Partition % b.o.Topics.DeadLetters.Partitions,
		Key:       key, Value: value, Headers: append(kept, kafkaHeaders(letter.Headers())...),
	})
	b.tally.impression(place.Topic, resultDeadLetter)
	b.tally.deadLetters[reason]++
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

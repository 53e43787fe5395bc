package deadletter

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// Letter is a record of the dead letters.
type Letter struct {
	schemas.DeadLetter
	Record *kgo.Record
	// Own are the headers that the source record had.
	Own []kgo.RecordHeader
	// Foreign tells that something else has written the record: it says nothing
	// of itself.
	Foreign bool
	// From is the place of the letter from which this one's source record was put
	// back, as topic/partition/offset; empty where it came by itself.
	From string
}

// Parse takes a record of the dead letters for what it says.
func Parse(r *kgo.Record) *Letter {
	headers := make([]schemas.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = schemas.Header(h)
	}
	l := &Letter{Record: r}
	said, own, ok := schemas.ParseDeadLetter(headers)
	l.DeadLetter, l.Foreign = said, !ok
	for _, h := range own {
		l.Own = append(l.Own, kgo.RecordHeader(h))
		if h.Key == schemas.HeaderReplayed {
			l.From = string(h.Value)
		}
	}
	return l
}

// unknownReason stands for a letter that gives none.
const unknownReason = "unknown"

// Why returns the letter's reason, or "unknown" where it gives none.
func (l *Letter) Why() string {
	if l.Reason == "" {
		return unknownReason
	}
	return l.Reason
}

// Source returns where the letter's element stood: topic/partition/offset, with
// /index where the record held several; or file:line.
func (l *Letter) Source() string {
	p := &l.Place
	switch {
	case l.File != "":
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	case p.Offset < 0:
		return p.Topic
	case p.Index < 0:
		return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
	}
	return fmt.Sprintf("%s/%d/%d/%d", p.Topic, p.Partition, p.Offset, p.Index)
}

// place returns where the letter itself stands.
func (l *Letter) place() string {
	return fmt.Sprintf("%s/%d/%d", l.Record.Topic, l.Record.Partition, l.Record.Offset)
}

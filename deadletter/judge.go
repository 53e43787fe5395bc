package deadletter

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/ingest"
	"traitstream/kafka"
	"traitstream/schemas"
)

// Outcome is what becomes of a letter.
type Outcome string

// All but the first leave the letter where it is.
const (
	PutBack        Outcome = "put_back"
	AlreadyPutBack Outcome = "already_put_back"
	Returned       Outcome = "returned"          // it was put back before and refused again
	Truncated      Outcome = "truncated"         // its bytes are not all there
	NotASource     Outcome = "not_a_source"      // its topic is none of the configuration's sources
	TooLarge       Outcome = "too_large"         // for the source topic
	OtherTime      Outcome = "other_time"        // the source would not keep the time that it was refused by
	NoKey          Outcome = "no_key"            // which a compacted source wants
	NotADeadLetter Outcome = "not_a_dead_letter" // something else has written it
)

const (
	stageAdmit      = "admit"     // where a record's time was looked at
	timestampMargin = time.Minute // for clocks that differ
	recordOverhead  = 512         // more than the record format adds to key, value and headers
	headerOverhead  = 8           // the same of a header
)

// Words tells an outcome in words that follow a number of letters.
func (o Outcome) Words() string {
	switch o {
	case PutBack:
		return "put back"
	case AlreadyPutBack:
		return "were put back before"
	case Returned:
		return "were put back before and refused again (--returned puts them back once more)"
	case Truncated:
		return "were too large to be kept whole"
	case NotASource:
		return "come from a topic that is no source in the configuration"
	case TooLarge:
		return "are larger than the source topic takes (max.message.bytes)"
	case OtherTime:
		return "were refused by their time, which the source topic would replace"
	case NoKey:
		return "have no key, which a compacted source topic needs"
	case NotADeadLetter:
		return "were written by something else"
	}
	return string(o)
}

// judge tells what becomes of a letter, and the record to put back.
func (r *Replay) judge(l *Letter) (Outcome, *kgo.Record) {
	switch {
	case l.Foreign:
		return NotADeadLetter, nil
	case r.marks.Has(l.Record):
		return AlreadyPutBack, nil
	case l.From != "" && !r.Returned:
		return Returned, nil
	case l.Truncated:
		return Truncated, nil
	}
	source, ok := r.Topics.Sources[l.Place.Topic]
	if !ok {
		return NotASource, nil
	}
	record := l.restore(source)
	now := time.Now()
	if !keepsTime(source, record.Timestamp, now) {
		if l.Stage == stageAdmit {
			return OtherTime, nil
		}
		record.Timestamp = now
	}
	switch {
	case sizeOf(record) > int(source.MaxMessageBytes):
		return TooLarge, nil
	case record.Key == nil && slices.Contains(source.Policies(), "compact"):
		return NoKey, nil
	}
	return PutBack, record
}

// restore returns the letter's source record: its own bytes and headers with the
// mark, in its own partition where that is known, with its own timestamp. By that
// a clock that was ahead is ahead still, unless max_clock_ahead has grown.
func (l *Letter) restore(source kafka.Topic) *kgo.Record {
	headers := slices.DeleteFunc(slices.Clone(l.Own), func(h kgo.RecordHeader) bool { return h.Key == schemas.HeaderReplayed })
	if l.File != "" {
		headers = append(headers, kgo.RecordHeader{Key: ingest.HeaderFile, Value: []byte(l.File)},
			kgo.RecordHeader{Key: ingest.HeaderLine, Value: strconv.AppendInt(nil, int64(l.Line), 10)})
	}
	partition := l.Place.Partition
	switch {
	case l.Place.Offset >= 0 && partition < source.Partitions:
	case l.Record.Key != nil:
		partition = kafka.Partition(l.Record.Key, source.Partitions)
	default:
		partition = l.Record.Partition % source.Partitions
	}
	return &kgo.Record{
		Topic: source.Name, Partition: partition, Key: l.Record.Key, Value: l.Record.Value,
		Headers:   append(headers, kgo.RecordHeader{Key: schemas.HeaderReplayed, Value: []byte(l.place())}),
		Timestamp: time.UnixMilli(l.Place.Timestamp), // -1: none
	}
}

// keepsTime tells whether a topic takes a record's timestamp and leaves it as it
// is.
func keepsTime(t kafka.Topic, at, now time.Time) bool {
	if t.Config["message.timestamp.type"] == "LogAppendTime" {
		return false
	}
	if at.UnixMilli() < 0 {
		return true
	}
	within := func(setting string, distance time.Duration) bool {
		ms, err := strconv.ParseInt(t.Config[setting], 10, 64)
		return err != nil || ms/1000 >= int64(distance/time.Second)
	}
	return within("message.timestamp.before.max.ms", now.Sub(at)+timestampMargin) &&
		within("message.timestamp.after.max.ms", at.Sub(now)+timestampMargin)
}

// sizeOf is at least what a record takes in a batch of its own, in bytes.
func sizeOf(r *kgo.Record) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + headerOverhead
	}
	return n
}

package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

// LogRange returns a partition's first offset and its high watermark.
func (f *Fleet) LogRange(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	adm := kadm.NewClient(f.Client)
	starts, err := kafka.Told(adm.ListStartOffsets(ctx, topic))
	if err != nil {
		return 0, 0, fmt.Errorf("looking up the start of %s: %w", topic, err)
	}
	ends, err := kafka.Told(adm.ListEndOffsets(ctx, topic))
	if err != nil {
		return 0, 0, fmt.Errorf("looking up the end of %s: %w", topic, err)
	}
	s, err := kafka.Listed(starts, topic, partition)
	if err != nil {
		return 0, 0, err
	}
	e, err := kafka.Listed(ends, topic, partition)
	if err != nil {
		return 0, 0, err
	}
	return s.Offset, e.Offset, nil
}

// errFound ends a read at its first record.
var errFound = errors.New("found")

// firstLook is how many offsets are looked through for a record at first; where none
// has one, eight times as many. A look costs the broker and the process about a KiB
// for each.
const firstLook = 64

// FirstRecord returns the first committed record in a range of offsets, or nil.
// The group may empty the inbox meanwhile, and a source's retention removes old
// records: what is left counts.
func (f *Fleet) FirstRecord(ctx context.Context, topic string, partition int32, from, to int64) (first *kgo.Record, err error) {
	for most := int64(firstLook); from < to; {
		end := min(to, from+most)
		err := kafka.ReadPartition(ctx, f.Client, topic, partition, from, end, func(r *kgo.Record) error {
			first = r
			return errFound
		})
		var gone *kafka.OutOfRangeError
		switch {
		case errors.Is(err, errFound):
			return first, nil
		case errors.As(err, &gone) && gone.Start > from:
			from = gone.Start
		case err != nil:
			return nil, err
		default:
			from, most = end, 8*most
		}
	}
	return nil, nil
}

// RecordHeaders returns headers as records have them.
func RecordHeaders(in []schemas.Header) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, len(in))
	for i, h := range in {
		out[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return out
}

// HeadersOf returns those of a record as formats have them.
func HeadersOf(r *kgo.Record) []schemas.Header {
	out := make([]schemas.Header, len(r.Headers))
	for i, h := range r.Headers {
		out[i] = schemas.Header{Key: h.Key, Value: h.Value}
	}
	return out
}

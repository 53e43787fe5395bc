package fleet

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// Measurement is where a group stands in its inputs.
type Measurement struct {
	fleet      *Fleet
	Committed  kadm.OffsetResponses
	Start, End kadm.ListedOffsets // of what is committed; End is exclusive
}

// Measure looks up the group's committed offsets and the bounds of its inputs.
func (f *Fleet) Measure(ctx context.Context) (*Measurement, error) {
	adm := kadm.NewClient(f.Client)
	m := &Measurement{fleet: f}
	ids, _, err := f.TopicIDs(ctx)
	if err != nil {
		return nil, err
	}
	if m.Committed, err = f.Committed(ctx, ids); err != nil {
		return nil, err
	}
	if m.Start, err = adm.ListStartOffsets(ctx, f.InputTopics()...); err != nil {
		return nil, err
	}
	m.End, err = adm.ListCommittedOffsets(ctx, f.InputTopics()...)
	return m, err
}

// Place returns the offset at which the group goes on in a partition.
func (m *Measurement) Place(topic string, partition int32) int64 {
	start, _ := m.Start.Lookup(topic, partition)
	if c, ok := m.Committed.Lookup(topic, partition); ok && c.At >= 0 {
		return max(c.At, start.Offset)
	}
	return start.Offset
}

// Lag returns how many offsets of a partition are unprocessed and the timestamp
// of the first record among them. Markers and aborted records take offsets too:
// where nothing else is left, there is no lag.
func (m *Measurement) Lag(ctx context.Context, topic string, partition int32) (int64, time.Time, error) {
	end, ok := m.End.Lookup(topic, partition)
	from := m.Place(topic, partition)
	if !ok || from >= end.Offset {
		return 0, time.Time{}, nil
	}
	first, err := m.fleet.FirstRecord(ctx, topic, partition, from, end.Offset)
	if err != nil || first == nil {
		return 0, time.Time{}, err
	}
	return end.Offset - first.Offset, first.Timestamp, nil
}

// FirstTime returns the time of a partition's first record, ms since 1970; the end
// of time where there is none.
func (m *Measurement) FirstTime(ctx context.Context, topic string, number int32) (int64, error) {
	start, err := kafka.Listed(m.Start, topic, number)
	if err != nil {
		return 0, err
	}
	end, err := kafka.Listed(m.End, topic, number)
	if err != nil {
		return 0, err
	}
	r, err := m.fleet.FirstRecord(ctx, topic, number, start.Offset, end.Offset)
	if err != nil || r == nil {
		return math.MaxInt64, err
	}
	return r.Timestamp.UnixMilli(), nil
}

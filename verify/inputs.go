package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
)

// input is a source's partition as the group has read it.
type input struct {
	partition
	from    int64 // where reading begins: the first offset that is there and that the group has read
	base    int64 // all before this is processed
	end     int64 // nothing from here on is
	lost    bool  // some of what the group has read is there no more
	unknown bool  // where the group began can't be told: each impression may count or not
}

// inputs returns the partitions of all sources between two committed offsets of
// each.
func (v *verifier) inputs(ctx context.Context, first, second map[string]map[int32]int64) (map[partition]*input, error) {
	adm := kadm.NewClient(v.o.Client)
	notes, err := adm.FetchOffsets(ctx, v.o.Config.Group())
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("looking up where group %s began: %w", v.o.Config.Group(), kafka.Explain(err))
	}
	all := map[partition]*input{}
	for _, source := range v.o.Config.Sources {
		logs, err := kafka.Logs(ctx, v.o.Client, source.Topic)
		if err != nil {
			return nil, err
		}
		details, err := adm.ListTopics(ctx, source.Topic)
		if err != nil {
			return nil, fmt.Errorf("looking up topic %s: %w", source.Topic, kafka.Explain(err))
		}
		id := details[source.Topic].ID
		for number, log := range logs {
			in := &input{partition: partition{source.Topic, number}, from: log.From}
			all[in.partition] = in
			at, ok := second[source.Topic][number]
			if !ok {
				continue // the group has not begun
			}
			committed, _ := notes.Lookup(source.Topic, number)
			note, told := schemas.ParseOffsetNote(committed.Metadata)
			if told && note.Topic != "" && id != (kadm.TopicID{}) && note.Topic != id.String() {
				in.lost = true // these offsets are of a topic that was there before
				continue
			}
			in.base, in.end = min(first[source.Topic][number], at), at
			in.begin(source.From, note.Start, log)
		}
	}
	return all, nil
}

// begin tells where the group began to read a partition: start if it is not
// negative, else what the setting says. One that is not the earliest depends on
// when that was.
func (in *input) begin(from config.From, start int64, log kafka.Span) {
	switch {
	case start < 0 && (from.Latest || !from.At.IsZero()):
		in.unknown, in.lost = true, log.From > 0
	case start < log.From:
		in.lost = max(start, 0) < log.From
	default:
		in.from = start
	}
}

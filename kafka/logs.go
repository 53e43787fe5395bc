package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is a range of offsets; To is not in it.
type Span struct{ From, To int64 }

// Logs returns what a topic's partitions hold, up to the high watermark.
func Logs(ctx context.Context, cl *kgo.Client, topic string) (map[int32]Span, error) {
	adm := kadm.NewClient(cl)
	starts, err := listed(adm.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, fmt.Errorf("looking up the start of %s: %w", topic, Explain(err))
	}
	ends, err := listed(adm.ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, fmt.Errorf("looking up the end of %s: %w", topic, Explain(err))
	}
	all := map[int32]Span{}
	for number, end := range ends[topic] {
		start, ok := starts.Lookup(topic, number)
		if !ok {
			start.Offset = end.Offset // it was added in between
		}
		all[number] = Span{start.Offset, end.Offset}
	}
	return all, nil
}

// listed looks for errors of single partitions too.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}

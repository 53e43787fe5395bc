package kafka

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Told leaves out of what brokers tell of partitions those that have no leader. It is
// an error only if no broker has told anything.
func Told(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	var some *kadm.ShardErrors
	if errors.As(err, &some) && !some.AllFailed {
		return offsets, nil
	}
	return offsets, err
}

// Listed returns a partition's offset. One that the broker did not tell is an
// error: it reads -1, which a client takes for the end of the log.
func Listed(offsets kadm.ListedOffsets, topic string, partition int32) (kadm.ListedOffset, error) {
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		o.Err = kerr.UnknownTopicOrPartition
	}
	if o.Err != nil {
		return o, fmt.Errorf("looking up the bounds of %s, partition %d: %w", topic, partition, o.Err)
	}
	return o, nil
}

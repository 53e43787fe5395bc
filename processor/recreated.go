package processor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// errRecreated says that a source was deleted and created again while it was
// read. A new client in the old seat reads it from its start.
var errRecreated = errors.New("a source was deleted and created again")

// topicMeta is the name under which the state keeps the id of the topic that a
// partition's offsets were committed for: under another one they mean other
// records. It is kept by partition, since a topic's partitions come one by one.
func topicMeta(topic string, partition int32) string {
	return "topic " + topic + " " + strconv.Itoa(int(partition))
}

// topicIDs returns the ids of those inputs that are there, unless the broker
// tells none.
func (o *Options) topicIDs(ctx context.Context) (map[string]string, error) {
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, o.inputs()...)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	ids := map[string]string{}
	for name, topic := range topics {
		if errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
			o.Log.Warn("a topic is gone: waiting for it to be created again", "topic", name)
		}
		if topic.Err == nil && topic.ID != (kadm.TopicID{}) {
			ids[name] = string(topic.ID[:])
		}
	}
	return ids, nil
}

// recreated tells whether the state has last seen a partition in another topic
// of the same name. One that it has not seen is taken for what it is.
func (o *Options) recreated(topic string, partition int32, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	before, err := o.Store.Meta(topicMeta(topic, partition))
	if err != nil {
		return false, fmt.Errorf("reading state: %w", err)
	}
	return before != nil && string(before) != id, nil
}

// remember keeps the ids of the topics that partitions begin in.
func (o *Options) remember(ids map[string]string, topic string, partition int32) error {
	name, id := topicMeta(topic, partition), ids[topic]
	before, err := o.Store.Meta(name)
	if err != nil {
		return fmt.Errorf("reading state: %w", err)
	}
	if id == "" || string(before) == id {
		return nil
	}
	if err := o.Store.SetMeta(name, []byte(id)); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	return nil
}

package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// errRecreated says that a source was deleted and created again while it was
// read. A new client in the old seat reads it from its start.
var errRecreated = errors.New("a source was deleted and created again")

// topicMeta is the name under which the state keeps the id of a source: offsets
// that were committed under another one mean other records.
func topicMeta(topic string) string { return "topic " + topic }

// recreated returns the ids of those inputs that are not the topics that the
// state has last seen under their names. Topics that it has not seen are taken
// for what they are, and so is every topic of a broker that tells no ids.
func (o *Options) recreated(ctx context.Context) (map[string]string, error) {
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, o.inputs()...)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	again := map[string]string{}
	for name, topic := range topics {
		id := string(topic.ID[:])
		if topic.Err != nil || topic.ID == (kadm.TopicID{}) {
			continue
		}
		before, err := o.Store.Meta(topicMeta(name))
		if err != nil {
			return nil, fmt.Errorf("reading state: %w", err)
		}
		switch string(before) {
		case id:
		case "":
			err = o.remember(map[string]string{name: id})
		default:
			again[name] = id
		}
		if err != nil {
			return nil, err
		}
	}
	return again, nil
}

// remember keeps the ids of topics.
func (o *Options) remember(ids map[string]string) error {
	for name, id := range ids {
		if err := o.Store.SetMeta(topicMeta(name), []byte(id)); err != nil {
			return fmt.Errorf("writing state: %w", err)
		}
	}
	return nil
}

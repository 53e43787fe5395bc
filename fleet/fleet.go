// Package fleet tells how an app stands and asks things of it from outside: all goes
// through its topics and its consumer group, so it does not matter which processes
// run, or whether any does.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
)

// Fleet is the processes of an app, as its topics and its group show them.
type Fleet struct {
	// Client is outside the group and lets records choose their partition.
	Client *kgo.Client
	Config *config.Config
	Topics *kafka.Topics // which exist
}

// Sources are the topics that impressions are read from.
func (f *Fleet) Sources() []string {
	var all []string
	for _, s := range f.Config.Sources {
		all = append(all, s.Topic)
	}
	return all
}

// InputTopics are the topics of a task: the inbox and the sources.
func (f *Fleet) InputTopics() []string {
	return append([]string{f.Topics.Inbox.Name}, f.Sources()...)
}

// TopicIDs returns the ids of those inputs that are there, unless the broker
// tells none, and the names of those that are gone.
func (f *Fleet) TopicIDs(ctx context.Context) (ids map[string]string, gone []string, err error) {
	topics, err := kadm.NewClient(f.Client).ListTopics(ctx, f.InputTopics()...)
	if err != nil {
		return nil, nil, fmt.Errorf("listing topics: %w", err)
	}
	ids = map[string]string{}
	for name, topic := range topics {
		switch {
		case errors.Is(topic.Err, kerr.UnknownTopicOrPartition):
			gone = append(gone, name)
		case topic.Err == nil && topic.ID != (kadm.TopicID{}):
			ids[name] = topic.ID.String()
		}
	}
	return ids, gone, nil
}

// TopicID returns the id of a topic, empty where the brokers tell none. That it does not
// exist is an error.
func (f *Fleet) TopicID(ctx context.Context, topic string) (string, error) {
	topics, err := kadm.NewClient(f.Client).ListTopics(ctx, topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return "", fmt.Errorf("looking up %s: %w", topic, err)
	}
	if id := topics[topic].ID; id != (kadm.TopicID{}) {
		return id.String(), nil
	}
	return "", nil
}

// Committed returns what the group has committed of its inputs, nothing if nobody has
// joined it yet. With their ids, it leaves out what was committed of topics of former ids.
func (f *Fleet) Committed(ctx context.Context, ids map[string]string) (kadm.OffsetResponses, error) {
	// Asked for some topics, it is an error where one is gone.
	all, err := kadm.NewClient(f.Client).FetchOffsets(ctx, f.Config.Group())
	if err == nil {
		err = all.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	inputs := f.InputTopics()
	all.DeleteFunc(func(r kadm.OffsetResponse) bool {
		note, _ := schemas.ParseOffsetNote(r.Metadata)
		return !slices.Contains(inputs, r.Topic) || OfAnother(note, ids[r.Topic])
	})
	return all, nil
}

// OfAnother tells whether an offset was committed of a topic that one of this id
// has replaced.
func OfAnother(note schemas.OffsetNote, id string) bool {
	return note.Topic != "" && id != "" && note.Topic != id
}

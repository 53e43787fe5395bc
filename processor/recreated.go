package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/schemas"
)

// errRecreated says that a source was deleted and created again while it was
// read. A new client in the old seat reads it from its start.
var errRecreated = errors.New("a source was deleted and created again")

// topicIDs returns the ids of those inputs that are there, unless the broker
// tells none, and the names of those that are gone.
func (o *Options) topicIDs(ctx context.Context) (ids map[string]string, gone []string, err error) {
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, o.inputs()...)
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

// ofAnother tells whether an offset was committed of a topic that one of this id
// has replaced.
func ofAnother(note schemas.OffsetNote, id string) bool {
	return note.Topic != "" && id != "" && note.Topic != id
}

// hasBegun notes under which id the client has seen a topic, or begun to read it.
func (s *starts) hasBegun(topic, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return
	}
	if s.begun[topic] == nil {
		s.begun[topic] = map[string]bool{}
	}
	s.begun[topic][id] = true
}

// outlived tells whether another topic has replaced one that the client has
// seen: it never takes to a new id by itself, nor to one that it sees later.
func (s *starts) outlived(ids map[string]string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, begun := range s.begun {
		if id := ids[topic]; id != "" && (len(begun) > 1 || !begun[id]) {
			return true
		}
	}
	return false
}

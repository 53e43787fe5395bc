package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// defaultMaxMessageBytes is Kafka's, for a topic whose settings are hidden.
const defaultMaxMessageBytes = 1048588

// Topic is a topic as it is, or as it would be created.
type Topic struct {
	Name            string
	Partitions      int32
	MaxMessageBytes int32 // the largest batch that it takes, in bytes
	// Config holds the settings in force; of a missing topic, those that it
	// would be created with. It is nil where this user may not see them.
	Config  map[string]string
	Missing bool // does not exist (yet)
}

// Describe returns those of the named topics that exist. It waits until each has
// a leader for all its partitions, but for some 12 s at most: one that has none
// for longer must not keep a process from working on the others.
func Describe(ctx context.Context, cl *kgo.Client, names ...string) (map[string]Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	details, err := settledMetadata(ctx, cl, names)
	if err != nil && !errors.Is(err, errUnsettled) {
		return nil, fmt.Errorf("describing topics: %w", Explain(err))
	}
	topics := make(map[string]Topic, len(details))
	for name, t := range details {
		topics[name] = Topic{Name: name, Partitions: int32(len(t.Partitions)), MaxMessageBytes: defaultMaxMessageBytes}
	}
	if err := awaitSettings(ctx, cl, topics); err != nil {
		return nil, fmt.Errorf("reading the settings of topics: %w", Explain(err))
	}
	return topics, nil
}

// awaitSettings reads settings from brokers that may not have heard of a new
// topic yet: another than this one has told of it.
func awaitSettings(ctx context.Context, cl *kgo.Client, topics map[string]Topic) error {
	for try := 0; ; try++ {
		err := readSettings(ctx, cl, topics)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || try == patience {
			return err
		}
		if err := backoff(ctx, try); err != nil {
			return err
		}
	}
}

// describeAll describes topics that are there, also where a broker has not heard
// of them yet. One that does not show up after all is left out.
func describeAll(ctx context.Context, cl *kgo.Client, names ...string) (map[string]Topic, error) {
	for try := 0; ; try++ {
		found, err := Describe(ctx, cl, names...)
		if err != nil || len(found) == len(names) || try == patience {
			return found, err
		}
		if err := backoff(ctx, try); err != nil {
			return nil, err
		}
	}
}

// readSettings fills in what this user may see.
func readSettings(ctx context.Context, cl *kgo.Client, topics map[string]Topic) error {
	if len(topics) == 0 {
		return nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for name := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, name
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, r := range resp.Resources {
		err := kerr.ErrorForCode(r.ErrorCode)
		switch {
		case err == nil:
			topics[r.ResourceName] = topics[r.ResourceName].with(r.Configs)
		case !errors.Is(err, kerr.TopicAuthorizationFailed):
			return fmt.Errorf("topic %s: %w", r.ResourceName, err)
		}
	}
	return nil
}

func (t Topic) with(configs []kmsg.DescribeConfigsResponseResourceConfig) Topic {
	t.Config = make(map[string]string, len(configs))
	for _, c := range configs {
		if c.Value != nil {
			t.Config[c.Name] = *c.Value
		}
	}
	if n, err := strconv.ParseInt(t.Config["max.message.bytes"], 10, 32); err == nil {
		t.MaxMessageBytes = int32(n)
	}
	return t
}

// settledMetadata asks until every topic that exists has its leaders, which
// takes a moment after a topic was created.
func settledMetadata(ctx context.Context, cl *kgo.Client, names []string) (map[string]kmsg.MetadataResponseTopic, error) {
	for try := 0; ; try++ {
		topics, err := metadata(ctx, cl, names...)
		if err == nil {
			err = unsettled(topics)
		}
		if err == nil || !kerr.IsRetriable(err) || try == patience {
			return topics, err
		}
		if err := backoff(ctx, try); err != nil {
			return nil, err
		}
	}
}

var errUnsettled = errors.New("there is no leader yet")

func unsettled(topics map[string]kmsg.MetadataResponseTopic) error {
	for name, t := range topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				return fmt.Errorf("topic %s, partition %d: %w: %w", name, p.Partition, errUnsettled, kerr.LeaderNotAvailable)
			}
		}
	}
	return nil
}

// metadata asks a broker for these topics, all if none is named, and leaves out
// those that do not exist. It goes past the client's cache, which may be older
// than what the caller has just seen or done.
func metadata(ctx context.Context, cl *kgo.Client, names ...string) (map[string]kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	topics := make(map[string]kmsg.MetadataResponseTopic, len(resp.Topics))
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		topics[*t.Topic] = t
	}
	return topics, nil
}

// patience is how many tries in a row may fail for what should pass soon; with
// backoff's waits that is some 12 s.
const patience = 15

// backoff waits before try number try+2: 25 ms doubling up to 1 s. The error is
// that of ctx.
func backoff(ctx context.Context, try int) error {
	wait := time.NewTimer(min(25*time.Millisecond<<min(try, 6), time.Second))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

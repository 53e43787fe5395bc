package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics creates the topics and waits until they have leaders. One that
// exists already is left as it is. A replicas of -1 takes the broker's default.
// Where this user may not create topics, the error lists the commands that do.
func CreateTopics(ctx context.Context, cl *kgo.Client, replicas int16, topics ...Topic) error {
	var refused []Topic
	var refusal error
	for _, t := range topics {
		err := create(ctx, cl, replicas, t)
		switch {
		case err == nil, errors.Is(err, kerr.TopicAlreadyExists):
		case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
			refused, refusal = append(refused, t), err
		default:
			return fmt.Errorf("creating topic %v: %w", t, Explain(err))
		}
	}
	if len(refused) > 0 {
		return notAllowed(refused, replicas, refusal)
	}
	return awaitTopics(ctx, cl, topics)
}

func create(ctx context.Context, cl *kgo.Client, replicas int16, t Topic) error {
	settings := make(map[string]*string, len(t.Config))
	for k, v := range t.Config {
		settings[k] = kmsg.StringPtr(v)
	}
	resp, err := kadm.NewClient(cl).CreateTopic(ctx, t.Partitions, replicas, settings, t.Name)
	if err != nil && resp.ErrMessage != "" {
		return fmt.Errorf("%w (%s)", err, resp.ErrMessage)
	}
	return err
}

// awaitTopics waits until the brokers that clients ask know of the topics.
func awaitTopics(ctx context.Context, cl *kgo.Client, topics []Topic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	for try := 0; ; try++ {
		there, err := settledMetadata(ctx, cl, names)
		if err != nil {
			return fmt.Errorf("waiting for new topics: %w", Explain(err))
		}
		absent := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			_, ok := there[n]
			return ok
		})
		if len(absent) == 0 {
			return nil
		}
		if try == patience {
			return fmt.Errorf("topics %s were created, but do not show up: check the brokers' health", strings.Join(absent, ", "))
		}
		if err := backoff(ctx, try); err != nil {
			return fmt.Errorf("waiting for new topics: %w", err)
		}
	}
}

func notAllowed(topics []Topic, replicas int16, cause error) error {
	var b strings.Builder
	for _, t := range topics {
		fmt.Fprintf(&b, "\n  kafka-topics.sh --bootstrap-server BROKER --create --topic %s --partitions %d", t.Name, t.Partitions)
		if replicas > 0 {
			fmt.Fprintf(&b, " --replication-factor %d", replicas)
		}
		for _, k := range slices.Sorted(maps.Keys(t.Config)) {
			fmt.Fprintf(&b, " --config %s=%s", k, t.Config[k])
		}
	}
	return fmt.Errorf("creating topics: %w; allow this user Create on them, or let someone create them:%s", cause, b.String())
}

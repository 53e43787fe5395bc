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
// The brokers are asked about all of them first: where they refuse one, none is
// created, since what is left of a first run that failed would settle the number
// of tasks. Where this user may not create topics, the error lists the commands
// that do.
func CreateTopics(ctx context.Context, cl *kgo.Client, replicas int16, topics ...Topic) error {
	adm := kadm.NewClient(cl)
	for _, create := range []creator{adm.ValidateCreateTopics, adm.CreateTopics} {
		if err := create.all(ctx, replicas, topics); err != nil {
			return err
		}
	}
	return awaitTopics(ctx, cl, topics)
}

// creator creates topics or asks whether that could be done.
type creator func(ctx context.Context, partitions int32, replicas int16, configs map[string]*string, topics ...string) (kadm.CreateTopicResponses, error)

func (c creator) all(ctx context.Context, replicas int16, topics []Topic) error {
	var refused []Topic
	var refusal error
	for _, t := range topics {
		err := c.one(ctx, replicas, t)
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
	return nil
}

func (c creator) one(ctx context.Context, replicas int16, t Topic) error {
	settings := make(map[string]*string, len(t.Config))
	for k, v := range t.Config {
		settings[k] = kmsg.StringPtr(v)
	}
	responses, err := c(ctx, t.Partitions, replicas, settings, t.Name)
	if err != nil {
		return err
	}
	resp, ok := responses[t.Name]
	switch {
	case !ok:
		return errors.New("the broker's answer does not tell of it")
	case resp.Err != nil && resp.ErrMessage != "":
		return fmt.Errorf("%w (%s)", resp.Err, resp.ErrMessage)
	}
	return resp.Err
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

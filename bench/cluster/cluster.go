// Package cluster is the Kafka that contestants are measured on.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster is a client of some brokers.
type Cluster struct {
	Brokers []string
	Admin   *kadm.Client
	client  *kgo.Client
}

// Connect reaches brokers.
func Connect(ctx context.Context, brokers []string) (*Cluster, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("setting up the Kafka client: %w", err)
	}
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("reaching %v: %w; does a broker run there?", brokers, err)
	}
	return &Cluster{Brokers: brokers, Admin: kadm.NewClient(cl), client: cl}, nil
}

// Close closes the client.
func (c *Cluster) Close() { c.client.Close() }

// Create makes a topic that keeps its records whatever their timestamps.
func (c *Cluster) Create(ctx context.Context, topic string, partitions int32, compact bool) error {
	policy := "delete"
	if compact {
		policy = "compact"
	}
	_, err := c.Admin.CreateTopic(ctx, partitions, -1, map[string]*string{
		"retention.ms": ptr("-1"), "cleanup.policy": &policy,
	}, topic)
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", topic, err)
	}
	return nil
}

func ptr(s string) *string { return &s }

// Delete removes topics that may be there, and waits until they are gone.
func (c *Cluster) Delete(ctx context.Context, topics ...string) error {
	for len(topics) > 0 { // none would list all
		have, err := c.Admin.ListTopics(ctx, topics...)
		if err != nil {
			return fmt.Errorf("deleting topics: %w", err)
		}
		var left []string
		for name, t := range have {
			if !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
				left = append(left, name)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if _, err := c.Admin.DeleteTopics(ctx, left...); err != nil {
			return fmt.Errorf("deleting topics: %w", err)
		}
		if err := Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Await waits until a topic is there.
func (c *Cluster) Await(ctx context.Context, topic string) error {
	for {
		have, err := c.Admin.ListTopics(ctx, topic)
		if err != nil {
			return fmt.Errorf("waiting for topic %s: %w", topic, err)
		}
		if have.Has(topic) {
			return nil
		}
		if err := Sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for topic %s: %w", topic, err)
		}
	}
}

// DeleteGroup removes a group that may be there, once its members are gone.
func (c *Cluster) DeleteGroup(ctx context.Context, group string) error {
	for {
		_, err := c.Admin.DeleteGroup(ctx, group)
		if err == nil || errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		if !errors.Is(err, kerr.NonEmptyGroup) && !kerr.IsRetriable(err) { // the broker's first group takes a moment
			return fmt.Errorf("deleting group %s: %w", group, err)
		}
		if err := Sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("deleting group %s, which still has members: %w", group, err)
		}
	}
}

// Ends returns the offsets at which a topic's partitions end, by partition.
func (c *Cluster) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := c.Admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the end of %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// Stable returns the sum of a topic's last stable offsets, 0 while it is not
// there.
func (c *Cluster) Stable(ctx context.Context, topic string) (int64, error) {
	listed, err := c.Admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("looking up the end of %s: %w", topic, err)
	}
	sum := int64(0)
	listed.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			sum += o.Offset
		}
	})
	return sum, nil
}

// Committed returns a group's offsets in a topic, by partition.
func (c *Cluster) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	fetched, err := c.Admin.FetchOffsetsForTopics(ctx, group, topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.CoordinatorNotAvailable) {
		return nil, fmt.Errorf("looking up the offsets of group %s: %w", group, err)
	}
	at := map[int32]int64{}
	fetched.Each(func(o kadm.OffsetResponse) { at[o.Partition] = max(0, o.At) })
	return at, nil
}

// Size returns how many bytes topics take on disk, without replicas.
func (c *Cluster) Size(ctx context.Context, topics ...string) (int64, error) {
	if len(topics) == 0 { // none would list all
		return 0, nil
	}
	set := kadm.TopicsSet{}
	have, err := c.Admin.ListTopics(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("looking up the size of topics: %w", err)
	}
	for name, t := range have {
		if t.Err == nil {
			set.Add(name, t.Partitions.Numbers()...)
		}
	}
	dirs, err := c.Admin.DescribeAllLogDirs(ctx, set)
	if err != nil {
		return 0, fmt.Errorf("looking up the size of topics: %w", err)
	}
	largest := map[string]int64{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			name := fmt.Sprintf("%s-%d", p.Topic, p.Partition)
			largest[name] = max(largest[name], p.Size)
		})
	})
	var sum int64
	for _, size := range largest {
		sum += size
	}
	return sum, nil
}

// Sleep waits, unless ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// ID returns the cluster's id, another one for each that was made anew.
func (c *Cluster) ID(ctx context.Context) (string, error) {
	m, err := c.Admin.BrokerMetadata(ctx)
	if err != nil {
		return "", fmt.Errorf("asking for the cluster's id: %w", err)
	}
	return m.Cluster, nil
}

package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stageOffset commits an offset within the client's open transaction, as a
// group without members may.
func stageOffset(t *testing.T, txn *kgo.Client, id, group, topic string, at int64) {
	t.Helper()
	pid, epoch, err := txn.ProducerID(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, pid, epoch, group
	added, err := add.RequestWith(limit(t), txn)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = id, pid, epoch, group
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = at
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, p)
	described, err := metadata(limit(t), txn, topic)
	if err != nil {
		t.Fatal(err)
	}
	rt.TopicID = described[topic].TopicID
	commit.Topics = append(commit.Topics, rt)
	committed, err := commit.RequestWith(limit(t), txn)
	if err == nil {
		err = kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStableOffsets(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "input", 2, nil)
	commitOffset(t, cl, "group", "input", 7)
	for name, tt := range map[string]struct {
		group  string
		at     int64
		exists bool
	}{
		"committed": {"group", 7, true},
		"no group":  {"other", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := StableOffsets(limit(t), cl, tt.group, map[string][]int32{"input": {0, 1}, "missing": {0}})
			if err != nil {
				t.Fatal(err)
			}
			if at, exists := got["input"][0]; at != tt.at || exists != tt.exists {
				t.Errorf("got %v", got)
			}
			if _, exists := got["input"][1]; exists || len(got["missing"]) != 0 {
				t.Errorf("offsets of what has none: %v", got)
			}
		})
	}
}

func TestStableOffsetsWaitForATransaction(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "input", 1, nil)
	want := map[string][]int32{"input": {0}}
	commitOffset(t, cl, "group", "input", 7)
	txn := txnClient(t, e.Brokers(), "writer")
	produce(t, txn, "input", "x")
	stageOffset(t, txn, "writer", "group", "input", 9)

	short, cancel := context.WithTimeout(limit(t), 100*time.Millisecond)
	defer cancel()
	if _, err := stableOffsets(limit(t), cl, "group", want); !errors.Is(err, kerr.UnstableOffsetCommit) {
		t.Fatalf("of an open transaction: %v", err)
	}
	if _, err := StableOffsets(short, cl, "group", want); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("when the context ended: %v", err)
	}
	done := make(chan error, 1)
	var got map[string]map[int32]int64
	go func() {
		var err error
		got, err = StableOffsets(limit(t), cl, "group", want)
		done <- err
	}()
	if err := txn.EndTransaction(limit(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got["input"][0] != 9 {
		t.Errorf("got %v", got)
	}
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// realBroker returns the addresses of a Kafka cluster that is not the embedded
// one, and a prefix for what this test creates there.
func realBroker(t *testing.T) (brokers []string, prefix string) {
	t.Helper()
	list := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if list == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	return strings.Split(list, ","), fmt.Sprintf("kafka-test-%x", time.Now().UnixNano())
}

// removeTopics deletes topics when the test ends.
func removeTopics(t *testing.T, brokers []string, names ...string) {
	t.Helper()
	t.Cleanup(func() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // that of the test is over
		defer cancel()
		if _, err := kadm.NewClient(cl).DeleteTopics(ctx, names...); err != nil {
			t.Error(err)
		}
	})
}

func TestRealEnsureTopics(t *testing.T) {
	brokers, prefix := realBroker(t)
	cl := newClient(t, brokers)
	if err := Connect(limit(t), cl); err != nil {
		t.Fatal(err)
	}
	cfg := configOf(prefix + "-source")
	cfg.App = prefix
	removeTopics(t, brokers, topicNames(cfg)...)

	_, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true})
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("without a source: %v", err)
	}
	made, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true, Sources: 3})
	if err != nil {
		t.Fatal(err)
	}
	again, err := EnsureTopics(limit(t), cl, cfg, Creation{})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []*Topics{made, again} {
		if got.Tasks != 3 || got.Inbox.Config["retention.ms"] != "-1" || got.Warnings != nil ||
			got.Changelog.Config["cleanup.policy"] != "compact" || got.DeadLetters.MaxMessageBytes != defaultMaxMessageBytes+overhead {
			t.Errorf("got %+v", got)
		}
	}
}

func TestRealReadPartition(t *testing.T) {
	brokers, topic := realBroker(t)
	removeTopics(t, brokers, topic)
	cl := newClient(t, brokers)
	createTopic(t, cl, topic, 1, nil)
	txn := txnClient(t, brokers, topic)
	var want []string
	for i := range 20 {
		value := fmt.Sprint(i)
		produce(t, cl, topic, value+" plain")
		transact(t, txn, kgo.TryCommit, topic, value+" kept", value+" kept too")
		transact(t, txn, kgo.TryAbort, topic, value+" dropped")
		want = append(want, value+" plain", value+" kept", value+" kept too")
	}
	// The end is known when EndTransaction has answered, though its marker may
	// not be written yet.
	if got := readValues(t, cl, topic, 0, highWatermark(t, cl, topic)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}

	produce(t, txn, topic, "open")
	start, first, done := highWatermark(t, cl, topic)-1, make(chan struct{}), make(chan error, 1)
	produce(t, cl, topic, "after")
	go func() {
		close(first)
		done <- ReadPartition(limit(t), cl, topic, 0, start, start+2, func(r *kgo.Record) error {
			if v := string(r.Value); v != "open" && v != "after" {
				return errors.New("unexpected " + v)
			}
			return nil
		})
	}()
	<-first
	if err := txn.EndTransaction(limit(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}

	deleteRecords(t, cl, topic, 5)
	var gone *OutOfRangeError
	err := ReadPartition(limit(t), cl, topic, 0, 0, start, func(*kgo.Record) error { return nil })
	if !errors.As(err, &gone) || gone.Start != 5 {
		t.Errorf("deleted records: %v", err)
	}
}

func TestRealStableOffsets(t *testing.T) {
	brokers, topic := realBroker(t)
	removeTopics(t, brokers, topic)
	cl := newClient(t, brokers)
	createTopic(t, cl, topic, 2, nil)
	partitions := map[string][]int32{topic: {0, 1}}
	if got, err := StableOffsets(limit(t), cl, topic, partitions); err != nil || len(got[topic]) != 0 {
		t.Fatalf("of no group: %v, %v", got, err)
	}
	commitOffset(t, cl, topic, topic, 7)
	for end, want := range map[kgo.TransactionEndTry]int64{kgo.TryAbort: 7, kgo.TryCommit: 9} {
		txn := txnClient(t, brokers, fmt.Sprint(topic, end))
		produce(t, txn, topic, "x")
		stageOffset(t, txn, fmt.Sprint(topic, end), topic, topic, 9)
		if err := txn.EndTransaction(limit(t), end); err != nil {
			t.Fatal(err)
		}
		got, err := StableOffsets(limit(t), cl, topic, partitions)
		if err != nil {
			t.Fatal(err)
		}
		if at, exists := got[topic][0]; !exists || at != want {
			t.Errorf("after commit=%v: %v, want %d", end, got, want)
		}
		commitOffset(t, cl, topic, topic, 7)
	}
}

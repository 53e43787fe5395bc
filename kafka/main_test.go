package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
)

func TestMain(m *testing.M) {
	serveIfChild()
	goleak.VerifyTestMain(m)
}

// limit bounds a test that waits for a broker.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// startBroker runs an embedded broker until the test ends.
func startBroker(t *testing.T, o EmbeddedOptions) *Embedded {
	t.Helper()
	e, err := StartEmbedded(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// newClient connects with the package's own options.
func newClient(t *testing.T, brokers []string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts, err := Options(config.Kafka{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	opts = append(opts, kgo.ProducerLinger(0))
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, cl *kgo.Client, name string, partitions int32, settings map[string]string) {
	t.Helper()
	topic := Topic{Name: name, Partitions: partitions, Config: settings}
	if err := CreateTopics(limit(t), cl, -1, topic); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(limit(t), record(topic, v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func record(topic, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)}
}

// txnClient begins its first transaction; transact ends it and begins the next.
func txnClient(t *testing.T, brokers []string, id string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl := newClient(t, brokers, append(more, kgo.TransactionalID(id))...)
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	return cl
}

func transact(t *testing.T, cl *kgo.Client, end kgo.TransactionEndTry, topic string, values ...string) {
	t.Helper()
	produce(t, cl, topic, values...)
	if err := cl.EndTransaction(limit(t), end); err != nil {
		t.Fatal(err)
	}
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

// highWatermark returns the end of partition 0.
func highWatermark(t *testing.T, cl *kgo.Client, topic string) int64 {
	t.Helper()
	ends, err := kadm.NewClient(cl).ListEndOffsets(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := ends.Lookup(topic, 0)
	if !ok || o.Err != nil {
		t.Fatalf("end of %s: %v, %v", topic, o, ok)
	}
	return o.Offset
}

// readValues reads partition 0 of a topic.
func readValues(t *testing.T, cl *kgo.Client, topic string, from, to int64) []string {
	t.Helper()
	var values []string
	err := ReadPartition(limit(t), cl, topic, 0, from, to, func(r *kgo.Record) error {
		values = append(values, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

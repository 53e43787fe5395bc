package fleet

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker with the topics of a configuration.
type world struct {
	*Fleet
	connect []kgo.Opt
}

func newWorld(t *testing.T, yaml string, partitions int32) *world {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	cfg, err := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	cfg.Kafka.Brokers = broker.ListenAddrs()
	w := &world{Fleet: &Fleet{Config: cfg}}
	if w.connect, err = kafka.Options(cfg.Kafka); err != nil {
		t.Fatal(err)
	}
	w.Client = w.connected(t)
	w.Topics, err = kafka.EnsureTopics(t.Context(), w.Client, cfg, kafka.Creation{Own: true, Sources: partitions})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) put(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := w.Client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// connected is a new client.
func (w *world) connected(t *testing.T) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

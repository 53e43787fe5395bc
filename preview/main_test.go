package preview

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker with the topics of a configuration.
type world struct {
	t       *testing.T
	cfg     *config.Config
	topics  *kafka.Topics
	client  *kgo.Client
	connect []kgo.Opt
	dir     string
}

// noon is 2026-03-02T12:00:00Z, by which traits expire in these tests.
const noon = 1772452800000

func newWorld(t *testing.T, yaml string, partitions int32, own bool) *world {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	noError(t, err)
	t.Cleanup(func() { noError(t, broker.Close()) })
	w := &world{t: t, dir: t.TempDir()}
	w.cfg = parse(t, yaml)
	w.cfg.Kafka.Brokers = broker.Brokers()
	w.connect, err = kafka.Options(w.cfg.Kafka)
	noError(t, err)
	w.client, err = kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, w.connect...)...)
	noError(t, err)
	t.Cleanup(w.client.Close)
	w.topics, err = kafka.EnsureTopics(t.Context(), w.client, w.cfg, kafka.Creation{Own: own, Sources: partitions})
	noError(t, err)
	return w
}

func parse(t testing.TB, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	noError(t, err)
	return cfg
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// limit bounds what waits for the broker.
func (w *world) limit() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// put produces records where they say and waits for them.
func (w *world) put(records ...*kgo.Record) {
	w.t.Helper()
	noError(w.t, w.client.ProduceSync(w.limit(), records...).FirstErr())
}

// webhook is an impression in its user's own partition, so many ms after noon.
func (w *world) webhook(user, flag, treatment string, seenAt int64) *kgo.Record {
	source := w.topics.Sources[w.cfg.Sources[0].Topic]
	return &kgo.Record{
		Topic: source.Name, Partition: kafka.Partition([]byte(user), source.Partitions), Key: []byte(user),
		Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"time":%d,"label":"default rule","splitVersionNumber":7,"environmentName":"Production"}`,
			user, flag, treatment, noon+seenAt),
		Timestamp: time.UnixMilli(noon + seenAt),
	}
}

// run processes all that is there.
func (w *world) run() {
	w.t.Helper()
	instance, err := processor.OpenInstance(w.dir)
	noError(w.t, err)
	store, err := state.Open(state.Options{Dir: w.dir, App: w.cfg.App, ClusterID: "test", CacheBytes: 8 << 20})
	noError(w.t, err)
	p := processor.New(processor.Options{
		Fleet: fleet.Fleet{Client: w.client, Config: w.cfg, Topics: w.topics}, Traits: w.cfg.Set, Store: store, Connect: w.connect,
		Metrics: processor.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Instance: instance, Leave: true,
	})
	ctx, stop := context.WithCancel(w.limit())
	defer stop()
	waited := make(chan error, 1)
	go func() {
		waited <- p.WaitUntilCaughtUp(ctx)
		stop()
	}()
	noError(w.t, p.Run(ctx))
	stop()
	noError(w.t, <-waited)
	noError(w.t, store.Close())
}

// preview previews other definitions, or the world's own.
func (w *world) preview(yaml string, options ...func(*Options)) *Report {
	w.t.Helper()
	o := Options{Config: w.cfg, Topics: w.topics, Client: w.client, Sample: 20, Now: time.UnixMilli(noon)}
	if yaml != "" {
		o.Config = parse(w.t, yaml)
	}
	for _, option := range options {
		option(&o)
	}
	r, err := Run(w.limit(), o)
	noError(w.t, err)
	return r
}

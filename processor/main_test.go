package processor

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker with the topics of a configuration.
type world struct {
	t       testing.TB
	cfg     *config.Config
	topics  *kafka.Topics
	client  *kgo.Client
	connect []kgo.Opt
}

func newWorld(t testing.TB, yaml string, partitions int32) *world {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return newWorldAt(t, yaml, partitions, broker.Brokers())
}

func newWorldAt(t testing.TB, yaml string, partitions int32, brokers []string, connect ...kgo.Opt) *world {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	cfg.Kafka.Brokers = brokers
	w := &world{t: t, cfg: cfg}
	if w.connect, err = kafka.Options(cfg.Kafka); err != nil {
		t.Fatal(err)
	}
	w.connect = append(w.connect, connect...)
	w.client, err = kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1<<20 + 64<<10)}, w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.topics, err = kafka.EnsureTopics(t.Context(), w.client, cfg, kafka.Creation{Own: true, Sources: partitions})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) fleet() *fleet.Fleet {
	return &fleet.Fleet{Client: w.client, Config: w.cfg, Topics: w.topics}
}

// store opens a state folder, or one in memory.
func (w *world) store(dir string) *state.Store {
	w.t.Helper()
	s, err := state.Open(state.Options{Dir: dir, App: w.cfg.App, ClusterID: "test", InMemory: dir == "", CacheBytes: 8 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// member is a processor with what it stands on.
type member struct {
	*Processor
	w        *world
	store    *state.Store
	registry *prometheus.Registry
}

// member returns a processor on a state folder, which it shares with those of
// the same folder that went before it.
func (w *world) member(dir string) *member {
	w.t.Helper()
	set, err := trait.NewSet(w.cfg.Traits)
	if err != nil {
		w.t.Fatal(err)
	}
	instance, err := OpenInstance(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &member{w: w, store: w.store(dir), registry: prometheus.NewRegistry()}
	m.Processor = New(Options{
		Fleet: *w.fleet(), Traits: set, Store: m.store, Connect: w.connect,
		Metrics: NewMetrics(m.registry), Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Instance: instance,
	})
	return m
}

// drain runs the member until all is processed and closes its state.
func (m *member) drain() {
	m.w.t.Helper()
	ctx, stop := context.WithTimeout(m.w.t.Context(), time.Minute)
	defer stop()
	waited := make(chan error, 1)
	go func() {
		defer stop()
		waited <- m.WaitUntilCaughtUp(ctx)
	}()
	if err := m.Run(ctx); err != nil {
		m.w.t.Error(err)
	}
	if err := <-waited; err != nil {
		m.w.t.Error(err)
	}
	if ctx.Err() == context.DeadlineExceeded {
		m.w.t.Error("not caught up within a minute")
	}
	m.close()
}

func (m *member) close() {
	m.w.t.Helper()
	if err := m.store.Close(); err != nil {
		m.w.t.Error(err)
	}
}

// impressions returns how many impressions had a result.
func (m *member) impressions(source, result string) int {
	return int(testutil.ToFloat64(m.o.Metrics.impressions.WithLabelValues(source, result)))
}

// put produces records and waits for them.
func (w *world) put(records ...*kgo.Record) {
	w.t.Helper()
	if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// webhook is an impression of Split's webhook in its user's own partition.
func (w *world) webhook(user, flag, treatment string, seenAt int64) *kgo.Record {
	r := impressionRecord(user, flag, treatment, seenAt)
	r.Topic = w.cfg.Sources[0].Topic
	r.Partition = kafka.Partition(r.Key, w.topics.Sources[r.Topic].Partitions)
	return r
}

const noon = 1772452800000 // 2026-03-02T12:00:00Z

func impressionRecord(user, flag, treatment string, seenAt int64) *kgo.Record {
	return &kgo.Record{
		Key: []byte(user),
		Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"time":%d,"label":"default rule","splitVersionNumber":7}`,
			user, flag, treatment, noon+seenAt),
		Timestamp: time.UnixMilli(noon + seenAt),
	}
}

// read returns all committed records of a topic, by partition.
func (w *world) read(topic kafka.Topic) [][]*kgo.Record {
	w.t.Helper()
	out := make([][]*kgo.Record, topic.Partitions)
	for p := range topic.Partitions {
		o := Options{Fleet: fleet.Fleet{Client: w.client, Topics: &kafka.Topics{Changelog: topic}}}
		start, end, err := o.changelogRange(w.t.Context(), p)
		if err != nil {
			w.t.Fatal(err)
		}
		err = kafka.ReadPartition(w.t.Context(), w.client, topic.Name, p, start, end, func(r *kgo.Record) error {
			out[p] = append(out[p], r)
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}

// changes returns the changes in the traits topic, by key, in order. A removal
// has no value.
func (w *world) changes() map[string][]string {
	w.t.Helper()
	out := map[string][]string{}
	for p, records := range w.read(w.topics.Traits) {
		for _, r := range records {
			key, err := schemas.DecodeKey(r.Key)
			if err != nil {
				w.t.Fatal(err)
			}
			if want := kafka.Partition(key.User, w.topics.Tasks); want != int32(p) {
				w.t.Errorf("the change of user %s is in partition %d, not %d", key.User, p, want)
			}
			value := "removed"
			if r.Value != nil {
				change, err := schemas.DecodeValue(r.Value)
				if err != nil {
					w.t.Fatal(err)
				}
				value = string(change.Emission.Value)
			}
			name := fmt.Sprintf("%s/%s/%s", key.Identity, key.User, key.Trait)
			out[name] = append(out[name], value)
		}
	}
	return out
}

package verify

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

// world is a broker with the topics of a configuration, and a state folder.
type world struct {
	t       *testing.T
	cfg     *config.Config
	topics  *kafka.Topics
	client  *kgo.Client
	connect []kgo.Opt
	dir     string
}

func newWorld(t *testing.T, yaml string, partitions int32) *world {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	noError(t, err)
	t.Cleanup(func() { noError(t, broker.Close()) })
	w := &world{t: t, dir: t.TempDir()}
	w.configure(yaml)
	w.cfg.Kafka.Brokers = broker.Brokers()
	w.connect, err = kafka.Options(w.cfg.Kafka)
	noError(t, err)
	w.client, err = kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1048588)}, w.connect...)...)
	noError(t, err)
	t.Cleanup(w.client.Close)
	w.topics, err = kafka.EnsureTopics(t.Context(), w.client, w.cfg, kafka.Creation{Own: true, Sources: partitions})
	noError(t, err)
	return w
}

// configure reads another configuration for the same broker.
func (w *world) configure(yaml string) {
	w.t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	noError(w.t, err)
	if w.cfg != nil {
		cfg.Kafka.Brokers = w.cfg.Kafka.Brokers
	}
	w.cfg = cfg
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

// store opens the state folder.
func (w *world) store() *state.Store {
	w.t.Helper()
	s, err := state.Open(state.Options{Dir: w.dir, App: w.cfg.App, ClusterID: "test", CacheBytes: 8 << 20})
	noError(w.t, err)
	return s
}

// process runs a processor until ctx ends or, with caughtUp, all is processed.
func (w *world) process(ctx context.Context, caughtUp bool) {
	w.t.Helper()
	instance, err := processor.OpenInstance(w.dir)
	noError(w.t, err)
	store := w.store()
	p := processor.New(processor.Options{
		Fleet: fleet.Fleet{Client: w.client, Config: w.cfg, Topics: w.topics}, Traits: w.cfg.Set, Store: store, Connect: w.connect,
		Metrics: processor.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Instance: instance, Leave: true,
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waited := make(chan error, 1)
	go func() {
		var err error
		if caughtUp {
			err = p.WaitUntilCaughtUp(ctx)
			stop()
		}
		waited <- err
	}()
	if err := p.Run(ctx); err != nil {
		w.t.Error(err)
	}
	stop()
	if err := <-waited; err != nil {
		w.t.Error(err)
	}
	if err := store.Close(); err != nil {
		w.t.Error(err)
	}
}

// run processes all that is there.
func (w *world) run() {
	w.t.Helper()
	w.process(w.limit(), true)
}

// put produces records where they say and waits for them.
func (w *world) put(records ...*kgo.Record) {
	w.t.Helper()
	noError(w.t, w.client.ProduceSync(w.limit(), records...).FirstErr())
}

// noon is 2026-03-02T12:00:00Z.
const noon = 1772452800000

// webhook is an impression in its user's own partition.
func (w *world) webhook(user, flag, treatment string, seenAt int64) *kgo.Record {
	source := w.topics.Sources[w.cfg.Sources[0].Topic]
	return &kgo.Record{
		Topic: source.Name, Partition: kafka.Partition([]byte(user), source.Partitions), Key: []byte(user),
		Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"time":%d,"label":"default rule","splitVersionNumber":7,"environmentName":"Prod"}`,
			user, flag, treatment, noon+seenAt),
		Timestamp: time.UnixMilli(noon + seenAt),
	}
}

// elsewhere puts an impression into a partition that is not its user's.
func (w *world) elsewhere(r *kgo.Record) *kgo.Record {
	r.Partition = (r.Partition + 1) % w.topics.Sources[r.Topic].Partitions
	return r
}

// fill puts impressions of some users and flags, each of which changes, and
// processes them.
func (w *world) fill() {
	w.t.Helper()
	for round, treatment := range []string{"off", "on", "on"} {
		for user := range 8 {
			for _, flag := range []string{"f", "g"} {
				w.put(w.webhook(fmt.Sprintf("u%d", user), flag, treatment, int64(round*1000)))
			}
		}
	}
	w.run()
}

// verify runs a verification, by default with the state folder.
func (w *world) verify(options ...func(*Options)) (*Report, []Difference) {
	w.t.Helper()
	o := Options{Config: w.cfg, Topics: w.topics, Client: w.client}
	o.Store = w.store()
	defer func() { noError(w.t, o.Store.Close()) }()
	return w.verifyWith(append([]func(*Options){func(to *Options) { *to = o }}, options...)...)
}

// verifyWith runs a verification with what the options say alone.
func (w *world) verifyWith(options ...func(*Options)) (*Report, []Difference) {
	w.t.Helper()
	o := Options{Config: w.cfg, Topics: w.topics, Client: w.client}
	for _, option := range options {
		option(&o)
	}
	var all []Difference
	r, err := Run(w.limit(), o, func(d Difference) error {
		all = append(all, d)
		return nil
	})
	noError(w.t, err)
	return r, all
}

// clean verifies that nothing differs.
func (w *world) clean(options ...func(*Options)) *Report {
	w.t.Helper()
	r, all := w.verify(options...)
	for _, d := range all {
		w.t.Errorf("%s: %s %s: %s", d.Kind, d.User, d.Trait, d.Message)
	}
	return r
}

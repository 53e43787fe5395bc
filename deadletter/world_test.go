package deadletter

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the timestamp of the records that were refused, in ms.
const noon = 1772452800000

// world is a broker with the topics of an app.
type world struct {
	*testing.T
	brokers []string
	client  *kgo.Client
	topics  *kafka.Topics
}

// newWorld returns one whose dead letters have some partitions. The source has
// two, and settings of its own.
func newWorld(t *testing.T, partitions int32, source map[string]string) *world {
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
	w := &world{T: t, brokers: broker.Brokers()}
	w.client = w.newClient()
	letters := kafka.Topic{Name: "app-dead-letters", Partitions: partitions}
	w.create(kafka.Topic{Name: "in", Partitions: 2, Config: source}, letters,
		kafka.Topic{Name: "app-control", Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	found, err := kafka.Describe(w.limit(), w.client, "in", "app-dead-letters", "app-control")
	if err != nil {
		t.Fatal(err)
	}
	w.topics = &kafka.Topics{
		Sources: map[string]kafka.Topic{"in": found["in"]}, DeadLetters: found["app-dead-letters"], Control: found["app-control"],
	}
	return w
}

func (w *world) options() []kgo.Opt {
	w.Helper()
	opts, err := kafka.Options(config.Kafka{Brokers: w.brokers})
	if err != nil {
		w.Fatal(err)
	}
	return opts
}

func (w *world) newClient(more ...kgo.Opt) *kgo.Client {
	w.Helper()
	cl, err := kgo.NewClient(append(append(w.options(), kgo.RecordPartitioner(kgo.ManualPartitioner())), more...)...)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(cl.Close)
	return cl
}

// limit bounds what waits for the broker.
func (w *world) limit() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) create(topics ...kafka.Topic) {
	w.Helper()
	if err := kafka.CreateTopics(w.limit(), w.client, -1, topics...); err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(cl *kgo.Client, records ...*kgo.Record) {
	w.Helper()
	if err := cl.ProduceSync(w.limit(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// letter returns a dead letter of a record in partition 1 of the source.
func letter(offset int64, change func(*schemas.DeadLetter)) *kgo.Record {
	d := schemas.DeadLetter{
		Place: trait.Place{Topic: "in", Partition: 1, Offset: offset, Index: -1, Timestamp: noon},
		Stage: "decode", Reason: "malformed", Message: "not JSON",
	}
	if change != nil {
		change(&d)
	}
	r := &kgo.Record{Topic: "app-dead-letters", Key: []byte("k"), Value: fmt.Appendf(nil, "value %d", offset), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("t")}}}
	for _, h := range d.Headers() {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}

// replay returns one that writes down what became of each letter, as "value
// outcome".
func (w *world) replay(told *[]string) *Replay {
	return &Replay{
		Client: w.client, Connect: w.options(), App: "app", Topics: w.topics,
		Reader: &Reader{Client: w.client, Topic: w.topics.DeadLetters.Name},
		Wanted: func(*Letter) bool { return true },
		Tell: func(l *Letter, o Outcome) error {
			*told = append(*told, fmt.Sprintf("%s: %s", l.Record.Value, o))
			return nil
		},
	}
}

// run replays everything and returns what became of it.
func (w *world) run(change func(*Replay)) []string {
	w.Helper()
	var told []string
	r := w.replay(&told)
	if change != nil {
		change(r)
	}
	if err := r.Run(w.limit()); err != nil {
		w.Fatal(err)
	}
	return told
}

// records returns what is committed in a topic.
func (w *world) records(topic string) (records []*kgo.Record) {
	w.Helper()
	r := Reader{Client: w.client, Topic: topic}
	if err := r.Read(w.limit(), func(rec *kgo.Record) error { records = append(records, rec); return nil }); err != nil {
		w.Fatal(err)
	}
	return records
}

// marks returns the marks of the control topic as they are after compaction.
func (w *world) marks() map[string]string {
	w.Helper()
	last := map[string]string{}
	for _, r := range w.records("app-control") {
		last[string(r.Key)] = string(r.Value)
		if r.Value == nil {
			delete(last, string(r.Key))
		}
	}
	return last
}

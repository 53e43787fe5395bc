package ingest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

var (
	target      = kafka.Topic{Name: "impressions", Partitions: 3, MaxMessageBytes: 1 << 20}
	deadLetters = kafka.Topic{Name: "dead-letters", Partitions: 2, MaxMessageBytes: 2 << 20}
	importTime  = time.UnixMilli(1772446800000)
)

// example is a file of package impression.
func example(name string) string {
	return filepath.Join("..", "impression", "testdata", name)
}

// world is a fresh broker with both topics.
type world struct {
	testing.TB
	client *kgo.Client
	events []string // what the callbacks were told
}

func newWorld(t testing.TB) *world {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	opts, err := kafka.Options(config.Kafka{Brokers: broker.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(opts, ClientOptions(target, deadLetters)...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &world{TB: t, client: client}
	if err := kafka.CreateTopics(w.limit(), client, -1, target, deadLetters); err != nil {
		t.Fatal(err)
	}
	return w
}

// limit bounds what waits for the broker.
func (w *world) limit() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) options() Options {
	return Options{
		Client:      w.client,
		Source:      impression.Source{Topic: target.Name, Format: impression.Auto, Identity: impression.User},
		Filter:      impression.Filter{Events: []string{"get_treatment"}},
		Target:      target,
		DeadLetters: deadLetters,
		Now:         func() time.Time { return importTime },
		OnRefused: func(file string, line int64, reason impression.Reason, _ string) {
			w.events = append(w.events, fmt.Sprintf("%s:%d: %s", file, line, reason))
		},
		OnIgnored: func(file string) { w.events = append(w.events, file+" ignored") },
	}
}

func (w *world) importer(o Options) *Importer {
	w.Helper()
	i, err := New(o)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

// file imports a file that can be read.
func (w *world) file(o Options, path string) Counts {
	w.Helper()
	i := w.importer(o)
	if err := i.File(w.limit(), path); err != nil {
		w.Fatal(err)
	}
	return i.Counts()
}

// text imports a text.
func (w *world) text(o Options, text string) Counts {
	w.Helper()
	o.Stdin = strings.NewReader(text)
	return w.file(o, "-")
}

// records reads a whole topic, partition by partition.
func (w *world) records(topic string) []*kgo.Record {
	w.Helper()
	ends, err := kadm.NewClient(w.client).ListEndOffsets(w.limit(), topic)
	if err != nil {
		w.Fatal(err)
	}
	var all []*kgo.Record
	for p := range int32(len(ends[topic])) {
		err := kafka.ReadPartition(w.limit(), w.client, topic, p, 0, ends[topic][p].Offset, func(r *kgo.Record) error {
			all = append(all, r)
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	return all
}

// dump writes records as text, all but their topic and timestamp, and but the
// decoder's wording.
func dump(records []*kgo.Record) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "partition %d key %q\n", r.Partition, r.Key)
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderErrorMessage && len(h.Value) > 0 {
				h.Value = []byte("...")
			}
			fmt.Fprintf(&b, "  %s: %s\n", h.Key, h.Value)
		}
		value := strings.ToValidUTF8(string(r.Value), "\\x??")
		if len(value) > 500 {
			value = fmt.Sprintf("%s... (%d bytes)", value[:200], len(r.Value))
		}
		fmt.Fprintf(&b, "  %s\n", value)
	}
	return b.String()
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./ingest -rewrite writes it anew); got\n%s", path, got)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
)

// world is a broker of its own with a configuration that names it.
type world struct {
	*testing.T
	dir     string
	brokers []string
	config  string // the file
	client  *kgo.Client
}

func newWorld(t *testing.T, more string) world {
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
	w := world{T: t, dir: t.TempDir(), brokers: broker.Brokers()}
	w.config = write(t, w.dir, "traitstream.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\n%s", w.brokers[0], more))
	w.client = w.newClient()
	return w
}

// newClient returns a client that puts each record where it says.
func (w world) newClient(more ...kgo.Opt) *kgo.Client {
	w.Helper()
	opts, err := kafka.Options(config.Kafka{Brokers: w.brokers})
	if err != nil {
		w.Fatal(err)
	}
	cl, err := kgo.NewClient(append(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner())), more...)...)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(cl.Close)
	return cl
}

// limit bounds what waits for the broker.
func (w world) limit() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

func (w world) create(topic string, partitions int32) {
	w.Helper()
	if err := kafka.CreateTopics(w.limit(), w.client, -1, kafka.Topic{Name: topic, Partitions: partitions}); err != nil {
		w.Fatal(err)
	}
}

func (w world) produce(cl *kgo.Client, records ...*kgo.Record) {
	w.Helper()
	if err := cl.ProduceSync(w.limit(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// topics lists what the broker has, as name:partitions.
func (w world) topics() []string {
	w.Helper()
	details, err := kadm.NewClient(w.client).ListTopics(w.limit())
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, t := range details {
		names = append(names, fmt.Sprintf("%s:%d", t.Topic, len(t.Partitions)))
	}
	slices.Sort(names)
	return names
}

// count returns how many records a topic holds.
func (w world) count(topic string) (n int) {
	w.Helper()
	err := readTopic(w.limit(), w.client, topic, startPoint{text: fromStart}, func(*kgo.Record) error { n++; return nil })
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// startWith starts a command that reads standard input.
func startWith(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, cancel: cancel, done: make(chan int, 1), stdout: &output{}, stderr: &output{}}
	m := &Main{Stdin: stdin, Stdout: r.stdout, Stderr: r.stderr}
	go func() { r.done <- m.Run(ctx, args) }()
	t.Cleanup(func() { r.stop() })
	return r
}

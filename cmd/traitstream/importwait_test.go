package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
)

// An import that waits says so, and why; one whose records arrive, or that has
// none on their way, does not.
func TestImportTellsThatItWaits(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	options, err := kafka.Options(config.Kafka{Brokers: broker.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	arrived := &arrivals{topic: "impressions"}
	cl, err := kgo.NewClient(append(options, kgo.WithHooks(arrived), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := kafka.CreateTopics(t.Context(), cl, -1, kafka.Topic{Name: "impressions", Partitions: 1}, kafka.Topic{Name: "letters", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	s := stall{arrived: arrived, client: cl, log: slog.New(slog.NewTextHandler(&logged, nil))}
	for _, topic := range []string{"impressions", "letters"} {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		s.look()
	}
	s.look()
	if logged.Len() > 0 || arrived.n.Load() != 1 || arrived.others.Load() != 1 {
		t.Errorf("all has arrived, but it says %s", &logged)
	}

	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	cl.Produce(t.Context(), &kgo.Record{Topic: "impressions"}, nil)
	late, tick := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for arrived.failed.Load() == nil {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not notice that the broker is away")
		}
	}
	s.look()
	for _, want := range []string{"waiting for the brokers", "records=1", "refused"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%q is missing in %s", want, &logged)
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
)

// scattered are sources with more and with fewer partitions than tasks.
const scattered = `
sources: [{topic: a, environment: Prod-Default}, {topic: b, identity: anonymous}]
traits: [{name: "{split}", not_served: clear, where: {environmentName: Prod-Default}}]
output: {partitions: 3}
`

var (
	scatteredPartitions = map[string]int32{"a": 5, "b": 2}
	scatteredSources    = []oracle.Source{
		{Topic: "a", Format: "auto", Identity: "user", Environment: "Prod-Default"},
		{Topic: "b", Format: "auto", Identity: "anonymous"},
	}
	scatteredDefs = []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "clear", Where: []oracle.Cond{
		{Property: "environmentName", Operator: "equals", Operands: []string{"Prod-Default"}}}}}
)

// Records without a key, of several users each, in any partition of two sources
// and over two runs end in the values that the oracle gives, with the same dead
// letters. How they came there may differ, but the changes of a trait make a
// chain (S12).
func TestScatteredRecordsAgreeWithTheOracle(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	}()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	dir := t.TempDir()
	cfg := write(t, dir, "c.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\n%s",
		broker.Brokers()[0], freeAddress(t), scattered))
	for topic, partitions := range scatteredPartitions {
		if err := kafka.CreateTopics(t.Context(), cl, 1, kafka.Topic{Name: topic, Partitions: partitions}); err != nil {
			t.Fatal(err)
		}
	}

	records := scatter(oracle.Generate(7, oracle.Options{Users: 40, Events: 300, Faults: 0.15, Ahead: true}))
	for _, half := range [][]oracle.Record{records[:len(records)/2], records[len(records)/2:]} {
		produce(t, cl, half)
		succeed(t, "run", "-c", cfg, "--until-caught-up")
	}
	want := oracle.Run(scatteredSources, scatteredDefs, 10*time.Minute, records)
	sameLines(t, "traits", finalValues(t, cl), wantedValues(want))
	sameLines(t, "dead letters", deadLetters(t, cl), wantedLetters(want))
}

// scatter makes a record of each value of the files, in turn in all partitions.
func scatter(files []oracle.File) []oracle.Record {
	var all []oracle.Record
	for i, f := range files {
		topic := []string{"a", "b"}[i%2]
		for _, v := range oracle.SplitFile(f.Data, false) {
			all = append(all, oracle.Record{Topic: topic, Partition: int32(len(all)) % scatteredPartitions[topic], Timestamp: oracle.Stamp, Value: v.Data})
		}
	}
	return all
}

// produce puts the records into their partitions and notes their offsets.
func produce(t *testing.T, cl *kgo.Client, records []oracle.Record) {
	t.Helper()
	for i := range records {
		r := &records[i]
		put := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		cl.Produce(t.Context(), put, func(done *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
			r.Offset = done.Offset
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// finalValues returns the last value of each trait that has one, and checks
// that the changes before it are a chain.
func finalValues(t *testing.T, cl *kgo.Client) []string {
	last, ids := map[string]string{}, map[string]bool{}
	readAll(t, cl, "traitstream-traits", func(r *kgo.Record) {
		key := string(r.Key)
		value, previous := "null", last[key]
		if r.Value != nil {
			var v struct{ Value, Previous json.RawMessage }
			if err := json.Unmarshal(r.Value, &v); err != nil {
				t.Fatal(err)
			}
			value = string(v.Value)
			if told := string(v.Previous); told != previous && (previous != "" || told != "null") {
				t.Errorf("%s: previous is %s after %s", key, told, previous)
			}
		}
		if value == previous || value == "null" && previous == "" {
			t.Errorf("%s: %s after %q", key, value, previous)
		}
		last[key] = value
		if id := header(r, schemas.HeaderChangeID); id == "" || ids[id] {
			t.Errorf("%s: change id %q again", key, id)
		} else {
			ids[id] = true
		}
	})
	var lines []string
	for key, value := range last {
		if value != "null" {
			lines = append(lines, key+" "+value)
		}
	}
	slices.Sort(lines)
	return lines
}

func wantedValues(r oracle.Result) []string {
	var lines []string
	for key, v := range r.Traits {
		if v.Value != "" {
			lines = append(lines, key.JSON()+" "+v.Value)
		}
	}
	slices.Sort(lines)
	return lines
}

func deadLetters(t *testing.T, cl *kgo.Client) []string {
	var lines []string
	readAll(t, cl, "traitstream-dead-letters", func(r *kgo.Record) {
		lines = append(lines, fmt.Sprintf("%s %s/%s[%s] %s: %s %q", header(r, schemas.HeaderErrorTopic), header(r, schemas.HeaderErrorPartition),
			header(r, schemas.HeaderErrorOffset), header(r, schemas.HeaderErrorIndex), header(r, schemas.HeaderErrorStage),
			header(r, schemas.HeaderErrorReason), r.Value))
	})
	slices.Sort(lines)
	return lines
}

func wantedLetters(r oracle.Result) []string {
	var lines []string
	for _, d := range r.DeadLetters {
		index := ""
		if d.Several {
			index = fmt.Sprint(d.Index)
		}
		lines = append(lines, fmt.Sprintf("%s %d/%d[%s] %s: %s %q", d.Record.Topic, d.Record.Partition, d.Record.Offset, index, d.Stage, d.Reason, d.Value))
	}
	slices.Sort(lines)
	return lines
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// readAll calls fn for each committed record of a topic.
func readAll(t *testing.T, cl *kgo.Client, topic string, fn func(*kgo.Record)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := readTopic(ctx, cl, topic, startPoint{text: fromStart}, func(r *kgo.Record) error {
		fn(r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

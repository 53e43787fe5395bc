package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS, whose cleaner compacts both
// topics and takes tombstones away: a subscriber that comes later, and a process
// that has lost its state, come to the traits that the impressions make.
func TestRealCompaction(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	w := &compacted{
		realWorld: newRealWorld(t, brokers, "traits: [{name: \"{split}\", not_served: clear}]\n"+
			"processor: {workers: 1}\n"), // of two, the last to leave may begin to restore what the first has left
		client: world{T: t, brokers: strings.Split(brokers, ",")}.newClient(),
		table:  map[string]string{},
		at:     time.Now().Add(-time.Hour).Truncate(time.Second),
	}
	w.round() // makes the topics
	w.compact(w.app+"-traits", w.app+"-last-seen-changelog")
	deadline := time.Now().Add(2 * time.Minute)
	for {
		w.round()
		// Each round sets or removes every trait, so without compaction all of
		// these would be there, of every user one in each round.
		records, oldest := w.look()
		if w.rounds >= 6 && records < w.written()*2/3 && oldest {
			t.Logf("after %d rounds with %d changes the traits topic holds %d records", w.rounds, w.written(), records)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %d rounds with %d changes the traits topic still holds %d records; the first round is gone: %v", w.rounds, w.written(), records, oldest)
		}
	}
	w.compare()
	w.round("--reset-state") // from the changelog
	w.compare()
}

// compare compares a subscriber that begins now with what the rounds have made,
// and the topics and the state with the sources.
func (w *compacted) compare() {
	w.t.Helper()
	if got := w.subscribe(); !maps.Equal(got, w.table) {
		w.t.Errorf("a subscriber has %d traits, want %d:\n%v\nand\n%v", len(got), len(w.table), got, w.table)
	}
	out := succeed(w.t, "verify", "-c", w.config)
	if want := fmt.Sprintf("local state   %d  records compared\n", compactedUsers); !strings.Contains(out, want) {
		w.t.Errorf("verify: %s\nlacks %q", out, want)
	}
}

// compactedUsers is how many users have a trait that changes in each round.
const compactedUsers = 60

// compacted is an app whose topics are compacted while it works.
type compacted struct {
	*realWorld
	client *kgo.Client
	rounds int
	table  map[string]string // by user, what the last round has set
	at     time.Time         // of the last round
}

// compact makes the cleaner work on topics as soon as it can.
func (w *compacted) compact(topics ...string) {
	w.t.Helper()
	var configs []kadm.AlterConfig
	for name, value := range map[string]string{
		"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0", "max.compaction.lag.ms": "500",
	} {
		configs = append(configs, kadm.AlterConfig{Name: name, Value: &value})
	}
	responses, err := w.admin.AlterTopicConfigs(w.t.Context(), configs, topics...)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range responses {
		if r.Err != nil {
			w.t.Fatalf("%s: %v", r.Name, r.Err)
		}
	}
}

// round lets every user see another treatment than before, every third one
// nothing at all in every second round, a second later than the round before, so
// that segments roll.
func (w *compacted) round(run ...string) {
	w.t.Helper()
	w.rounds++
	w.at = w.at.Add(time.Second)
	var records []*kgo.Record
	for i := range compactedUsers {
		user, treatment := fmt.Sprintf("user-%d", i), fmt.Sprintf("v%d", w.rounds)
		if w.table[user] = treatment; i%3 == 0 && w.rounds%2 == 0 {
			treatment = "control"
			delete(w.table, user)
		}
		records = append(records, &kgo.Record{
			Topic: w.source, Partition: kafka.Partition([]byte(user), 6), Key: []byte(user), Timestamp: w.at,
			Value: fmt.Appendf(nil, `{"key":%q,"split":"f","treatment":%q,"time":%d}`, user, treatment, w.at.UnixMilli()),
		})
	}
	if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	succeed(w.t, append([]string{"run", "-c", w.config, "--until-caught-up"}, run...)...)
}

// written is how many changes there were in all rounds.
func (w *compacted) written() int { return w.rounds * compactedUsers }

// tap calls fn for each record of the traits topic.
func (w *compacted) tap(fn func(user string, value json.RawMessage)) {
	w.t.Helper()
	for line := range strings.Lines(succeed(w.t, "tap", "-c", w.config, "--until-end", "--format", "json")) {
		var r struct {
			Key   struct{ ID string }
			Value json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		fn(r.Key.ID, r.Value)
	}
}

// look returns how many records the traits topic holds, and whether the cleaner
// has taken away those of the first rounds, removals too.
func (w *compacted) look() (records int, gone bool) {
	w.t.Helper()
	gone = true
	removals := map[string]int{}
	w.tap(func(user string, value json.RawMessage) {
		records++
		var v struct{ Value string }
		if string(value) == "null" {
			removals[user]++
		} else if err := json.Unmarshal(value, &v); err != nil {
			w.t.Fatal(err)
		}
		gone = gone && v.Value != "v1" && v.Value != "v2"
	})
	for _, n := range removals {
		gone = gone && n < w.rounds/2
	}
	return records, gone
}

// subscribe returns the table of a subscriber that begins now.
func (w *compacted) subscribe() map[string]string {
	w.t.Helper()
	table := map[string]string{}
	w.tap(func(user string, value json.RawMessage) {
		var v *struct{ Value string }
		if err := json.Unmarshal(value, &v); err != nil {
			w.t.Fatal(err)
		}
		if v == nil {
			delete(table, user)
		} else {
			table[user] = v.Value
		}
	})
	return table
}

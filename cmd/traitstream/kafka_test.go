package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: what kcat puts into a topic,
// placed by user as Java would or anywhere, gives a reader at read_committed
// the traits that demo gives for the same file.
func TestRealRunGivesWhatDemoGives(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	needKcat(t)
	input := newInput(3000)
	for _, placement := range []string{"murmur2", "random"} {
		t.Run(placement, func(t *testing.T) {
			w := newRealWorld(t, brokers)
			lines := input.values
			// Idempotence keeps the order over the retries that a new topic causes.
			args := []string{"-P", "-t", w.source, "-X", "enable.idempotence=true", "-X", "topic.partitioner=" + placement}
			if placement == "murmur2" {
				args, lines = append(args, "-K", "\t"), input.keyed
			}
			w.kcat(lines, args...)
			succeed(t, "run", "-c", w.config, "--until-caught-up")

			// Where a user's impressions come in another order, another of those
			// with the last value may be the one that was sent.
			ordered := placement == "murmur2"
			file := write(t, t.TempDir(), "input.jsonl", input.values)
			want := traitsOf(t, succeed(t, "demo", "-c", w.config, "--format", "json", file), ordered)
			got := traitsOf(t, w.traits(), ordered)
			if len(want) < 1000 {
				t.Fatalf("demo gives %d traits only", len(want))
			}
			if diff := difference(got, want); diff != "" {
				t.Error(diff)
			}
			if direct := w.inboxEnd() == 0; direct != ordered {
				t.Errorf("nothing was forwarded: %v", direct)
			}
		})
	}
}

// needKcat skips the test where there is no kcat; CI has one.
func needKcat(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("kcat"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("kcat is not installed")
	}
	t.Skip("install kcat for this test")
}

// input is a file of impressions, as it is and with each line's user before it.
type input struct{ values, keyed string }

// newInput makes up impressions in no order: some are late, some come twice,
// some are tied, some were not served and some lines are broken.
func newInput(n int) input {
	random := rand.New(rand.NewPCG(1, 2))
	var values, keyed strings.Builder
	for i := range n {
		user := fmt.Sprintf("user-%d-ü", random.IntN(n/6))
		value := fmt.Sprintf(`{"key":%q,"split":"flag_%d","treatment":%q,"time":%d,"label":"rule %d","splitVersionNumber":%d,"environmentName":%q}`,
			user, random.IntN(5), []string{"on", "off", "v2", "größe", "control"}[random.IntN(5)],
			1772446530000+random.Int64N(300), random.IntN(3), random.IntN(3), []string{"Production", "Staging"}[random.IntN(2)])
		if i%50 == 49 { // not the first line, which makes it a file of lines
			value = value[:len(value)/2]
		}
		for range 1 + random.IntN(10)/9 {
			fmt.Fprintln(&values, value)
			fmt.Fprintf(&keyed, "%s\t%s\n", user, value)
		}
	}
	return input{values.String(), keyed.String()}
}

// realWorld is an app of its own on a real Kafka.
type realWorld struct {
	t       *testing.T
	brokers string
	admin   *kadm.Client
	app     string
	source  string
	config  string
}

func newRealWorld(t *testing.T, brokers string, more ...string) *realWorld {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	app := fmt.Sprintf("cmd-test-%x", time.Now().UnixNano())
	w := &realWorld{t: t, brokers: brokers, admin: kadm.NewClient(client), app: app, source: app + "-source"}
	w.config = write(t, t.TempDir(), "c.yaml", fmt.Sprintf(
		"app: %s\nkafka: {brokers: [%s]}\nsources: [{topic: %s}]\nstate: {dir: data}\nhttp: {listen: %q}\n",
		app, brokers, w.source, freeAddress(t))+strings.Join(more, ""))
	if _, err := w.admin.CreateTopic(t.Context(), 6, -1, nil, w.source); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.remove)
	return w
}

// remove deletes what the test made.
func (w *realWorld) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's is over
	defer cancel()
	topics, err := w.admin.ListTopics(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var own []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, w.app+"-") {
			own = append(own, name)
		}
	}
	if _, err := w.admin.DeleteTopics(ctx, own...); err != nil {
		w.t.Error(err)
	}
	if _, err := w.admin.DeleteGroups(ctx, w.app); err != nil {
		w.t.Error(err)
	}
}

// kcat runs kcat and returns what it prints.
func (w *realWorld) kcat(stdin string, args ...string) string {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), "kcat", append([]string{"-b", w.brokers}, args...)...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	if err := c.Run(); err != nil {
		w.t.Fatalf("kcat %v: %v: %s", args, err, errs.String())
	}
	return out.String()
}

// traits returns the values of the traits topic after compaction, as kcat reads
// them.
func (w *realWorld) traits() string {
	w.t.Helper()
	last := map[string]string{}
	for line := range strings.Lines(w.kcat("", "-C", "-t", w.app+"-traits", "-e", "-q",
		"-X", "isolation.level=read_committed", "-f", `%k\t%s\n`)) {
		key, value, _ := strings.Cut(line, "\t")
		last[key] = value
	}
	return strings.Join(slices.Collect(maps.Values(last)), "")
}

// inboxEnd returns how much ever stood in the inbox.
func (w *realWorld) inboxEnd() int64 {
	w.t.Helper()
	return w.end(w.app + "-inbox")
}

// end returns how much ever stood in a topic.
func (w *realWorld) end(topic string) (end int64) {
	w.t.Helper()
	offsets, err := w.admin.ListEndOffsets(w.t.Context(), topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	offsets.Each(func(o kadm.ListedOffset) { end += o.Offset })
	return end
}

// shown is what two runs over the same impressions agree on: the rest of a
// change tells where they were read.
type shown struct {
	Identity, ID, Trait string
	Value               json.RawMessage
	Split, Definition   string

	// The impression, which is the same if they came in the same order.
	SeenAt      string  `json:"seen_at"`
	Environment *string `json:",omitempty"`
	Label       *string `json:",omitempty"`
	FlagVersion int64   `json:"flag_version"`
}

// traitsOf returns a line for each trait, sorted.
func traitsOf(t *testing.T, values string, ordered bool) []string {
	t.Helper()
	var traits []string
	for line := range strings.Lines(values) {
		var s shown
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !ordered {
			s.SeenAt, s.Environment, s.Label, s.FlagVersion = "", nil, nil, 0
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		traits = append(traits, string(text))
	}
	slices.Sort(traits)
	return traits
}

// difference tells the first place at which two sorted lists differ.
func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("%d traits and %d differ, first in\n%v and\n%v",
				len(got), len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
	return ""
}

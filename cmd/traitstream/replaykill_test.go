package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: a hundred thousand impressions are
// read again onto traits that are right, and the process is killed in the middle.
// Nothing is sent.
func TestRealReplayOntoRightTraits(t *testing.T) {
	w := newReplayWorld(t)
	const impressions = 100_000
	w.put(w.source, impressions, func(int) impressionAt {
		return impressionAt{user: w.random.IntN(impressions / 10), flag: w.random.IntN(3), at: w.random.IntN(1e6), treatment: w.random.IntN(3)}
	})
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	before := w.traitsOf()
	w.start()
	id := w.begin("--rate", "25000/s")
	for _, percent := range []int64{15, 50} {
		w.until(func() bool { r := w.job(id); return r.Percent >= percent || r.State.Over() })
		if r := w.job(id); r.State.Over() || r.TasksDone == r.Tasks {
			t.Fatalf("it was too fast to be killed: %+v", r)
		}
		w.kill()
		w.start()
	}
	succeed(t, "replay", "wait", "-c", w.config, id, "--timeout", "2m")
	w.stop()
	if r := w.job(id); r.Sent != 0 || r.Read != r.Total || r.Total < impressions || r.Merged != impressions || r.Gone != 0 || r.Forwarded == 0 {
		t.Errorf("the job has done %+v", r)
	}
	if after := w.traitsOf(); after.records != before.records {
		t.Errorf("%d changes more", after.records-before.records)
	}
	succeed(t, "verify", "-c", w.config)
}

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: what a source had before it became
// one is read by a replay, and exactly the traits that differ are sent.
func TestRealReplayOfALaterSource(t *testing.T) {
	w := newReplayWorld(t)
	const users, flags = 4000, 2
	later := w.app + "-later"
	if _, err := w.admin.CreateTopic(t.Context(), 4, -1, nil, later); err != nil {
		t.Fatal(err)
	}
	each := func(topic string, of func(user int) bool) {
		var all []int
		for i := range users * flags {
			if of(i / flags) {
				all = append(all, i)
			}
		}
		w.put(topic, len(all), func(i int) impressionAt {
			return impressionAt{user: all[i] / flags, flag: all[i] % flags, at: w.random.IntN(1e6), treatment: w.random.IntN(3)}
		})
	}
	each(w.source, func(user int) bool { return user%4 != 0 })
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	each(later, func(user int) bool { return user%4 != 1 })
	w.config = write(t, t.TempDir(), "c.yaml", strings.Replace(readFile(t, w.config), "{topic: "+w.source+"}",
		fmt.Sprintf("{topic: %s}, {topic: %s, from: latest}", w.source, later), 1))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	before := w.traitsOf()
	differ := 0
	for key, want := range w.last {
		if before.values[key] != want.value() {
			differ++
		}
	}
	w.start()
	id := w.begin()
	succeed(t, "replay", "wait", "-c", w.config, id, "--timeout", "1m")
	again := w.begin("--reason", "once more")
	succeed(t, "replay", "wait", "-c", w.config, again, "--timeout", "1m")
	w.stop()
	after := w.traitsOf()
	if r := w.job(id); r.Sent != int64(differ) || after.records-before.records != differ || differ < users/4 {
		t.Errorf("%d traits differ, %d changes more, and the job has done %+v", differ, after.records-before.records, r)
	}
	if r := w.job(again); r.Sent != 0 {
		t.Errorf("once more it has done %+v", r)
	}
	w.compare(after)
}

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: impressions that a source has lost
// before they were read are imported again. Exactly the traits that miss them change;
// a replay then has nothing to add.
func TestRealReplayAfterAnImport(t *testing.T) {
	w := newReplayWorld(t)
	const users, flags = 4000, 2
	w.put(w.source, users*flags, func(i int) impressionAt {
		return impressionAt{user: i / flags, flag: i % flags, at: w.random.IntN(1e6), treatment: w.random.IntN(3)}
	})
	file := write(t, t.TempDir(), "lost.jsonl", w.cut(0, 1, 2))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	before := w.traitsOf()
	if n := len(before.values); n < users/2 || n > users*flags*3/4 {
		t.Fatalf("%d traits without what is lost", n)
	}
	w.start()
	succeed(t, "import", "-c", w.config, "--topic", w.source, file)
	id := w.begin()
	succeed(t, "replay", "wait", "-c", w.config, id, "--timeout", "1m")
	w.stop()
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	after := w.traitsOf()
	if missed := users*flags - len(before.values); after.records-before.records != missed {
		t.Errorf("%d traits have missed something, and %d changes came", missed, after.records-before.records)
	}
	w.compare(after)
	succeed(t, "verify", "-c", w.config)
}

// replayWorld is an app whose impressions are known, and a process of it that can be
// killed.
type replayWorld struct {
	*realWorld
	cluster world
	client  *kgo.Client
	program string
	process *exec.Cmd
	errs    *output
	random  *rand.Rand
	last    map[string]impressionAt // by user and flag
}

// impressionAt is an impression in numbers.
type impressionAt struct{ user, flag, at, treatment int }

func (i impressionAt) key() string   { return fmt.Sprintf("user-%d flag-%d", i.user, i.flag) }
func (i impressionAt) value() string { return fmt.Sprint("t", i.treatment) }

// before tells which of two of one trait was seen first, as the merge does.
func (i impressionAt) before(o impressionAt) bool {
	return i.at < o.at || i.at == o.at && i.treatment < o.treatment
}

func newReplayWorld(t *testing.T) *replayWorld {
	t.Helper()
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	w := &replayWorld{
		realWorld: newRealWorld(t, brokers), cluster: world{T: t, brokers: strings.Split(brokers, ",")}, program: buildProgram(t),
		random: rand.New(rand.NewPCG(3, 4)), last: map[string]impressionAt{},
	}
	w.client = w.cluster.newClient()
	return w
}

// put puts impressions into a topic, anywhere.
func (w *replayWorld) put(topic string, n int, of func(i int) impressionAt) {
	w.t.Helper()
	partitions := int32(6)
	if topic != w.source {
		partitions = 4
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		in := of(i)
		if last, ok := w.last[in.key()]; !ok || last.before(in) {
			w.last[in.key()] = in
		}
		records[i] = &kgo.Record{Topic: topic, Partition: w.random.Int32N(partitions), Value: fmt.Appendf(nil,
			`{"key":"user-%d","split":"flag-%d","treatment":%q,"time":%d}`, in.user, in.flag, in.value(), 1_772_446_530_000+in.at)}
	}
	if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// cut removes all that some partitions of the source have, and returns it as lines.
func (w *replayWorld) cut(partitions ...int32) string {
	w.t.Helper()
	var lines strings.Builder
	ends, err := w.admin.ListEndOffsets(w.t.Context(), w.source)
	if err != nil {
		w.t.Fatal(err)
	}
	gone := kadm.Offsets{}
	for _, p := range partitions {
		end, _ := ends.Lookup(w.source, p)
		gone.AddOffset(w.source, p, end.Offset, -1)
	}
	err = readTopic(w.t.Context(), w.client, w.source, startPoint{text: fromStart}, func(r *kgo.Record) error {
		if _, ok := gone.Lookup(r.Topic, r.Partition); ok {
			fmt.Fprintf(&lines, "%s\n", r.Value)
		}
		return nil
	})
	if err == nil {
		_, err = w.admin.DeleteRecords(w.t.Context(), gone)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return lines.String()
}

func (w *replayWorld) start() {
	w.t.Helper()
	w.errs = &output{}
	w.process = exec.CommandContext(w.t.Context(), w.program, "run", "-c", w.config)
	w.process.Stderr = w.errs
	if err := w.process.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *replayWorld) kill() {
	w.t.Helper()
	if err := w.process.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.process.Wait() // it was killed
}

func (w *replayWorld) stop() {
	w.t.Helper()
	if err := w.process.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	if err := w.process.Wait(); err != nil {
		w.t.Errorf("run: %v: %s", err, w.errs)
	}
}

// begin begins a replay and returns its id.
func (w *replayWorld) begin(args ...string) string {
	w.t.Helper()
	return idPattern.FindString(succeed(w.t, append([]string{"replay", "start", "-c", w.config}, args...)...))
}

func (w *replayWorld) job(id string) (r jobReport) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(succeed(w.t, "replay", "show", "-c", w.config, "--format", "json", id)), &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// until waits for a condition.
func (w *replayWorld) until(ok func() bool) {
	w.t.Helper()
	(&running{t: w.t, done: make(chan int), stderr: w.errs}).until("the replay is so far", ok)
}

// replayTraits is what the traits topic holds.
type replayTraits struct {
	values  map[string]string // by user and flag
	records int
}

// traitsOf reads the traits topic.
func (w *replayWorld) traitsOf() replayTraits {
	w.t.Helper()
	all := replayTraits{values: map[string]string{}}
	err := readTopic(w.t.Context(), w.client, w.app+"-traits", startPoint{text: fromStart}, func(r *kgo.Record) error {
		key, err := schemas.DecodeKey(r.Key)
		if err != nil {
			return err
		}
		var value struct{ Value string }
		all.records++
		err = json.Unmarshal(r.Value, &value)
		all.values[fmt.Sprintf("%s %s", key.User, key.Trait)] = value.Value
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// compare compares the traits with what the impressions come to.
func (w *replayWorld) compare(got replayTraits) {
	w.t.Helper()
	want := map[string]string{}
	for key, last := range w.last {
		want[key] = last.value()
	}
	if !maps.Equal(got.values, want) {
		w.t.Errorf("there are %d traits, want %d: %s", len(got.values), len(want), firstOther(got.values, want))
	}
}

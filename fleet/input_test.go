package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

// tell returns inputs as topic/partition: committed of end, lag.
func tell(inputs []Input) string {
	var text []string
	for _, in := range inputs {
		text = append(text, fmt.Sprintf("%s/%d: %d of %d, %d", in.Topic, in.Partition, in.Committed, in.End, in.Lag))
	}
	return strings.Join(text, "\n")
}

// Inputs tells of every partition, those beyond the tasks too, from committed
// offsets alone; markers and aborted records are no lag.
func TestInputs(t *testing.T) {
	w := newWorld(t, "sources: [{topic: s}]\noutput: {partitions: 2}\n", 2)
	look := func() []Input {
		t.Helper()
		inputs, err := w.Inputs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return inputs
	}
	inbox := w.Topics.Inbox.Name
	want := "s/0: -1 of 0, 0\ns/1: -1 of 0, 0\n" + inbox + "/0: -1 of 0, 0\n" + inbox + "/1: -1 of 0, 0"
	if got := tell(look()); got != want {
		t.Errorf("before the group is:\n%s\nwant\n%s", got, want)
	}

	adm := kadm.NewClient(w.Client)
	if _, err := adm.CreatePartitions(t.Context(), 1, "s"); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_772_446_530_000)
	w.inTransaction(t, kgo.TryCommit, 0, at)
	w.inTransaction(t, kgo.TryAbort, 1, at)
	w.inTransaction(t, kgo.TryAbort, 2, at)
	w.inTransaction(t, kgo.TryCommit, 2, at.Add(time.Second))
	w.inTransaction(t, kgo.TryCommit, 2, at.Add(time.Minute))
	commit := kadm.Offsets{}
	commit.Add(kadm.Offset{Topic: "s", Partition: 0, At: 1, LeaderEpoch: -1, Metadata: schemas.OffsetNote{Owner: "app-x", Start: -1}.String()})
	if err := adm.CommitAllOffsets(t.Context(), w.Config.Group(), commit); err != nil {
		t.Fatal(err)
	}
	inputs := look()
	// Of partition 0 the marker is left, of partition 1 nothing that counts.
	want = "s/0: 1 of 2, 0\ns/1: -1 of 2, 0\ns/2: -1 of 6, 4\n" + inbox + "/0: -1 of 0, 0\n" + inbox + "/1: -1 of 0, 0"
	if got := tell(inputs); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if inputs[0].Note.Owner != "app-x" || !inputs[0].Oldest.IsZero() || !inputs[2].Oldest.Equal(at.Add(time.Second)) {
		t.Errorf("got %+v", inputs)
	}
}

// inTransaction produces a record to a partition of s in a transaction.
func (w *world) inTransaction(t *testing.T, how kgo.TransactionEndTry, partition int32, at time.Time) {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.TransactionalID("inputs"), kgo.RecordPartitioner(kgo.ManualPartitioner())}, w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "s", Partition: partition, Value: []byte("{}"), Timestamp: at}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

// What can't be asked for is an error that names the group.
func TestInputsFail(t *testing.T) {
	w := newWorld(t, "sources: [{topic: s}]\n", 1)
	w.Topics.Inbox = kafka.Topic{Name: "none"}
	w.Config.Sources = nil
	w.Config.App = "other"
	if inputs, err := w.Inputs(t.Context()); err == nil || !strings.Contains(err.Error(), "looking up how far group other is") {
		t.Errorf("got %v, %v", inputs, err)
	}
}

// A source that is gone hides nothing of the others.
func TestMeasureBesideASourceThatIsGone(t *testing.T) {
	w := newWorld(t, "sources: [{topic: s}, {topic: gone}]\n", 1)
	w.put(t, &kgo.Record{Topic: "s", Value: []byte("{}")}, &kgo.Record{Topic: w.Topics.Inbox.Name, Value: []byte("{}")})
	adm := kadm.NewClient(w.Client)
	commit := kadm.Offsets{}
	for _, topic := range w.InputTopics() {
		commit.AddOffset(topic, 0, 0, -1)
	}
	if err := adm.CommitAllOffsets(t.Context(), w.Config.Group(), commit); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopic(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	w.Client = w.connected(t) // the former one holds what it knows of topics for seconds
	m, err := w.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"s", w.Topics.Inbox.Name} {
		if n, _, err := m.Lag(t.Context(), topic, 0); err != nil || n != 1 {
			t.Errorf("the lag of %s is %d, %v", topic, n, err)
		}
	}
	if m.Failed() == nil {
		t.Error("that a source is gone is not told")
	}
}

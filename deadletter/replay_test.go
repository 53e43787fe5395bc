package deadletter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A record comes back with its own bytes, headers, partition and time, and a mark.
func TestPutBack(t *testing.T) {
	w := newWorld(t, 1, nil)
	none := letter(9, func(d *schemas.DeadLetter) { d.Place.Timestamp = -1 })
	none.Key, none.Value = nil, nil
	moved := letter(5, func(d *schemas.DeadLetter) { d.Place.Partition = 7 }) // the source had more partitions
	imported := letter(0, func(d *schemas.DeadLetter) {
		d.Place.Partition, d.Place.Offset, d.File, d.Line, d.Stage = 0, -1, "a.jsonl", 3, "ingest"
	})
	imported.Key = nil
	w.put(w.client, letter(4, nil), none, moved, imported)
	want := []string{"value 4: put_back", ": put_back", "value 5: put_back", "value 0: put_back"}
	same(t, "on a dry run", w.run(func(r *Replay) { r.DryRun = true }), want)
	if n := len(w.records("in")) + len(w.records("app-control")); n != 0 {
		t.Fatalf("a dry run has written %d records", n)
	}
	same(t, "replayed", w.run(nil), want)
	var got []string
	for _, r := range w.records("in") {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, fmt.Sprintf("%s=%s", h.Key, h.Value))
		}
		got = append(got, fmt.Sprintf("%d %q %q %d %s", r.Partition, r.Key, r.Value, r.Timestamp.UnixMilli(), strings.Join(headers, " ")))
	}
	p := kafka.Partition([]byte("k"), 2)
	expected := []string{
		`1 "k" "value 4" 1772452800000 trace=t traitstream.replayed=app-dead-letters/0/0`,
		`1 "" "" -1 trace=t traitstream.replayed=app-dead-letters/0/1`,
		fmt.Sprintf(`%d "k" "value 5" 1772452800000 trace=t traitstream.replayed=app-dead-letters/0/2`, p),
		`0 "" "value 0" 1772452800000 trace=t traitstream.import.file=a.jsonl traitstream.import.line=3 traitstream.replayed=app-dead-letters/0/3`,
	}
	slices.Sort(got)
	slices.Sort(expected)
	same(t, "the source", got, expected)
	same(t, "replayed again", w.run(nil), []string{"value 4: already_put_back", ": already_put_back", "value 5: already_put_back", "value 0: already_put_back"})
	if n := len(w.records("in")); n != 4 {
		t.Errorf("the source holds %d records", n)
	}
}

// What can't be put back, or should not be, is left alone, and says why.
func TestLeftAlone(t *testing.T) {
	w := newWorld(t, 1, map[string]string{"message.timestamp.before.max.ms": "3600000", "cleanup.policy": "compact", "max.message.bytes": "100000"})
	noKey := letter(1, nil)
	noKey.Key = nil
	large := letter(2, nil)
	large.Value = make([]byte, w.topics.Sources["in"].MaxMessageBytes-300)
	mirrored := letter(3, nil)
	mirrored.Headers[0].Key = schemas.HeaderReplayed
	w.put(w.client,
		&kgo.Record{Topic: "app-dead-letters", Value: []byte("hello")}, noKey, large, mirrored,
		letter(4, func(d *schemas.DeadLetter) { d.Truncated = true }),
		letter(5, func(d *schemas.DeadLetter) { d.Place.Topic = "app-inbox" }),
		letter(6, func(d *schemas.DeadLetter) { d.Stage, d.Reason = "admit", "clock_ahead" }),
		letter(7, nil),
	)
	got := w.run(nil)
	for i := range got {
		got[i] = strings.TrimLeft(got[i], "\x00")
	}
	want := []string{
		"hello: not_a_dead_letter", "value 1: no_key", ": too_large", "value 3: returned", "value 4: truncated",
		"value 5: not_a_source", "value 6: other_time", "value 7: put_back",
	}
	same(t, "replayed", got, want)
	for _, line := range got {
		if o := Outcome(line[strings.Index(line, ": ")+2:]); o.Words() == string(o) {
			t.Errorf("%s has no words", o)
		}
	}
	records := w.records("in")
	if len(records) != 1 || time.Since(records[0].Timestamp) > time.Hour {
		t.Errorf("the source holds %v; want a record that the topic has taken for new", records)
	}
	got = w.run(func(r *Replay) { r.Returned = true })
	same(t, "with those that returned", got[3:4], []string{"value 3: put_back"})
	if back := w.records("in")[1]; string(back.Headers[0].Value) != "app-dead-letters/0/3" || len(back.Headers) != 1 {
		t.Errorf("it came back with %v", back.Headers)
	}
}

// A topic that stamps records itself would give a clock that was ahead another
// time to be compared with.
func TestLogAppendTime(t *testing.T) {
	topic := kafka.Topic{Config: map[string]string{"message.timestamp.type": "LogAppendTime"}}
	now := time.UnixMilli(noon)
	if keepsTime(topic, now, now) {
		t.Error("it is said to keep times")
	}
	topic.Config = map[string]string{"message.timestamp.after.max.ms": "3600000", "message.timestamp.before.max.ms": "9223372036854775807"}
	for ahead, want := range map[time.Duration]bool{-1000 * time.Hour: true, 0: true, 58 * time.Minute: true, time.Hour: false} {
		if keepsTime(topic, now.Add(ahead), now) != want {
			t.Errorf("%s ahead: want %v", ahead, want)
		}
	}
}

// Which letters were put back is kept as runs of offsets, whatever the order in
// which they were picked, and forgotten when they are gone.
func TestMarks(t *testing.T) {
	w := newWorld(t, 2, nil)
	for i := range int64(20) {
		l := letter(i, func(d *schemas.DeadLetter) {
			if i%4 == 3 {
				d.Reason = "bad_time"
			}
		})
		l.Partition = int32(i % 2)
		w.put(w.client, l)
	}
	odd := func(r *Replay) { r.Wanted = func(l *Letter) bool { return l.Reason == "bad_time" } }
	if got := w.run(func(r *Replay) { odd(r); r.Limit = 2 }); len(got) != 2 {
		t.Errorf("with a limit: %v", got)
	}
	if got := w.run(odd); len(got) != 5 || strings.Count(strings.Join(got, " "), "already") != 2 {
		t.Errorf("the other of that reason: %v", got)
	}
	w.run(nil)
	if n := len(w.records("in")); n != 20 {
		t.Errorf("%d records are back, want 20", n)
	}
	if n := len(w.marks()); n != 4 {
		t.Errorf("there are %d marks, want 4: %v", n, w.marks())
	}

	w.put(w.client, letter(50, nil))
	adm := kadm.NewClient(w.client)
	offsets := kadm.Offsets{}
	offsets.AddOffset("app-dead-letters", 0, 10, -1)
	offsets.AddOffset("app-dead-letters", 1, 4, -1)
	if _, err := adm.DeleteRecords(w.limit(), offsets); err != nil {
		t.Fatal(err)
	}
	w.run(nil)
	if n := len(w.marks()); n != 3 {
		t.Errorf("there are %d marks after what they name is gone, want 3: %v", n, w.marks())
	}

	// A topic of the same name is another one.
	if _, err := adm.DeleteTopics(w.limit(), "app-dead-letters"); err != nil {
		t.Fatal(err)
	}
	w.create(kafka.Topic{Name: "app-dead-letters", Partitions: 2})
	w.client = w.newClient() // the old one may know the old topic
	w.put(w.client, letter(60, nil), letter(61, nil))
	same(t, "of the new topic", w.run(nil), []string{"value 60: put_back", "value 61: put_back"})
	if n := len(w.marks()); n != 1 {
		t.Errorf("there are %d marks of the new topic, want 1", n)
	}
}

// A transaction that was left open by a process that is gone counts for nothing.
func TestAfterACrash(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.put(w.client, letter(0, nil), letter(1, nil))
	var told []string
	dead := w.replay(&told)
	if err := dead.begin(w.limit()); err != nil {
		t.Fatal(err)
	}
	defer dead.producer.Close()
	if err := dead.producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var b batch
	for _, r := range w.records("app-dead-letters") {
		l := Parse(r)
		b.add(l, l.restore(w.topics.Sources["in"]), "")
	}
	w.put(dead.producer, b.all("app-control", nil)...)
	same(t, "replayed", w.run(nil), []string{"value 0: put_back", "value 1: put_back"})
	if n := len(w.records("in")); n != 2 {
		t.Errorf("%d records are back, want 2", n)
	}
	if err := dead.producer.EndTransaction(w.limit(), kgo.TryCommit); err == nil {
		t.Error("the dead one has committed")
	}
}

// Of two at once the one who began last goes on, and the other says so.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t, 1, nil)
	for i := range int64(batchLetters + 10) {
		w.put(w.client, letter(i, nil))
	}
	var told []string
	first := w.replay(&told)
	tell := first.Tell
	first.Tell = func(l *Letter, o Outcome) error {
		if len(told) == 0 { // its first transaction is through
			if got := w.run(nil); len(got) != batchLetters+10 {
				t.Errorf("the second one tells of %d letters", len(got))
			}
		}
		return tell(l, o)
	}
	err := first.Run(w.limit())
	if err == nil || !strings.Contains(err.Error(), "another `dlq replay` of this app has begun meanwhile; run it again") {
		t.Errorf("the first one: %v", err)
	}
	if n := len(w.records("in")); n != batchLetters+10 {
		t.Errorf("%d records are back, want %d", n, batchLetters+10)
	}
}

// However often it is stopped, and with whatever filter it goes on, each letter
// comes back once.
func TestEachOnce(t *testing.T) {
	w := newWorld(t, 3, nil)
	const n = 3000
	var letters []*kgo.Record
	for i := range int64(n) {
		l := letter(i, func(d *schemas.DeadLetter) { d.Reason = fmt.Sprint("reason ", i%3) })
		l.Partition = int32(i*i%7) % 3
		letters = append(letters, l)
	}
	w.put(w.client, letters...)
	random := rand.New(rand.NewPCG(1, 2))
	var told []string
	for try := 0; ; try++ {
		ctx, cancel := context.WithCancel(w.limit())
		r := w.replay(&told)
		reason, limit, after := fmt.Sprint("reason ", random.IntN(3)), random.Int64N(700), len(told)+random.IntN(1200)
		if try < 12 {
			r.Wanted = func(l *Letter) bool { return l.Reason == reason }
			r.Limit = limit
		}
		tell, stopped := r.Tell, errors.New("stopped")
		r.Tell = func(l *Letter, o Outcome) error {
			if try < 12 && len(told) > after {
				cancel()
				if try%2 == 0 {
					return stopped
				}
			}
			if o == PutBack {
				return tell(l, o)
			}
			return nil
		}
		err := r.Run(ctx)
		cancel()
		if try >= 12 {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	seen := map[string]int{}
	for _, r := range w.records("in") {
		seen[string(r.Value)]++
	}
	if len(seen) != n || len(w.records("in")) != n {
		t.Errorf("%d letters are back, in %d records; want %d", len(seen), len(w.records("in")), n)
	}
}

package processor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestChangesAndResume(t *testing.T) {
	w := newWorld(t, "", 4)
	dir := t.TempDir()
	w.put(
		w.webhook("u1", "f", "off", 0), w.webhook("u1", "f", "on", 10), w.webhook("u1", "f", "on", 20),
		w.webhook("u1", "f", "off", 5), w.webhook("u2", "f", "on", 0), w.webhook("u2", "g", "control", 0),
	)
	m := w.member(dir)
	m.drain()
	want := map[string][]string{"user/u1/f": {`"off"`, `"on"`}, "user/u2/f": {`"on"`}}
	if got := w.changes(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("changes are %v, want %v", got, want)
	}
	for result, n := range map[string]int{"change": 3, "same": 1, "late": 1, "not_served": 1, "forwarded": 0, "dead_letter": 0} {
		if got := m.impressions("impressions", result); got != n {
			t.Errorf("%d impressions count as %s, want %d", got, result, n)
		}
	}

	// The same seat goes on where it was; what it knows it does not send again.
	w.put(w.webhook("u1", "f", "on", 30), w.webhook("u2", "f", "off", 30))
	w.member(dir).drain()
	want["user/u2/f"] = append(want["user/u2/f"], `"off"`)
	if got := w.changes(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("changes are %v, want %v", got, want)
	}
}

// A state folder that is lost is rebuilt from the changelog: nothing is sent
// again, and a late impression does not flip a trait.
func TestRestoreFromNothing(t *testing.T) {
	w := newWorld(t, "", 4)
	var first, second []*kgo.Record
	for i := range 200 {
		user := fmt.Sprintf("u%d", i)
		first = append(first, w.webhook(user, "f", "on", 100))
		second = append(second, w.webhook(user, "f", "off", 50), w.webhook(user, "f", "on", 100))
	}
	w.put(first...)
	lost := w.member(t.TempDir())
	lost.o.Leave = true
	lost.drain()
	before := w.changes()
	w.put(second...)
	m := w.member(t.TempDir())
	m.drain()
	if after := w.changes(); !maps.EqualFunc(before, after, slices.Equal) {
		t.Fatal("a restored state has sent changes again")
	}
	if late, dup := m.impressions("impressions", "late"), m.impressions("impressions", "duplicate"); late != 200 || dup != 200 {
		t.Errorf("%d late and %d duplicates, want 200 of each", late, dup)
	}
}

// Records in the wrong partition, without a key, and arrays of several users
// end in the same traits as well-keyed ones.
func TestForwarding(t *testing.T) {
	w := newWorld(t, "output: {partitions: 3}\nsources: [{topic: a}, {topic: b}]", 5)
	var records []*kgo.Record
	for i := range 60 {
		user := fmt.Sprintf("u%d", i%20)
		r := impressionRecord(user, "f", []string{"on", "off", "v3"}[i/20], int64(i))
		r.Topic, r.Partition, r.Key = []string{"a", "b"}[i%2], int32(i%3), nil
		r.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte("t")}}
		records = append(records, r)
	}
	var array strings.Builder
	for i := range 10 {
		fmt.Fprintf(&array, `%s{"key":"m%d","split":"f","treatment":"on","time":%d}`, []string{"[", ","}[min(i, 1)], i, noon)
	}
	records = append(records, &kgo.Record{Topic: "a", Value: []byte(array.String() + `,{"key":"m1"}]`), Timestamp: time.UnixMilli(noon)})
	w.put(records...)
	m := w.member("")
	m.drain()
	got := w.changes()
	for i := range 20 {
		if c := got[fmt.Sprintf("user/u%d/f", i)]; len(c) == 0 || c[len(c)-1] != `"v3"` {
			t.Errorf("u%d has the changes %v, want v3 last", i, c)
		}
	}
	for i := range 10 {
		if c := got[fmt.Sprintf("user/m%d/f", i)]; len(c) != 1 {
			t.Errorf("m%d has the changes %v, want one", i, c)
		}
	}
	if m.impressions("a", "forwarded") == 0 || m.impressions("b", "forwarded") == 0 {
		t.Error("nothing was forwarded")
	}
	at, err := m.o.Measure(t.Context())
	if err == nil {
		err = m.o.trimInbox(t.Context(), at, []int32{0, 1, 2})
	}
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, records := range w.read(w.topics.Inbox) {
		left += len(records)
	}
	if left > int(w.topics.Tasks) { // the embedded broker keeps the last one
		t.Errorf("%d records are left in the inbox", left)
	}
	var letters []*kgo.Record
	for _, p := range w.read(w.topics.DeadLetters) {
		letters = append(letters, p...)
	}
	if len(letters) != 1 || string(letters[0].Value) != `{"key":"m1"}` {
		t.Fatalf("dead letters are %v", letters)
	}
}

// Of two members each has its share, and one that goes leaves its tasks to the
// other.
func TestTwoMembers(t *testing.T) {
	w := newWorld(t, "processor: {session_timeout: 6s}", 6)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, b := w.member(t.TempDir()), w.member(t.TempDir())
	b.o.Leave = true
	bctx, bstop := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- a.Run(ctx) }()
	go func() { ended <- b.Run(bctx) }()
	until(t, "both have three tasks", func() bool {
		return a.Ready() && b.Ready() && len(a.numbers()) == 3 && len(b.numbers()) == 3
	})
	for i := range 100 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "on", 0))
	}
	bstop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for i := range 100 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "off", 1), w.webhook(fmt.Sprintf("u%d", i), "f", "on", 0))
	}
	if err := a.WaitUntilCaughtUp(ctx); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	a.close()
	b.close()
	got := w.changes()
	for i := range 100 {
		if c := got[fmt.Sprintf("user/u%d/f", i)]; !slices.Equal(c, []string{`"on"`, `"off"`}) {
			t.Errorf("u%d has the changes %v", i, c)
		}
	}
}

// until waits for a condition of other goroutines.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		if !sleep(ctx, 5*time.Millisecond) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

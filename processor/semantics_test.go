package processor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// dump returns all that the records of the traits topic say, by partition: what
// a subscriber could tell apart.
func (w *world) dump() []string {
	w.t.Helper()
	var out []string
	for p, records := range w.read(w.topics.Traits) {
		for _, r := range records {
			out = append(out, fmt.Sprintf("%d %s %s %s %v", p, r.Key, r.Value, headers(r), r.Timestamp.UnixMilli()))
		}
	}
	return out
}

func headers(r *kgo.Record) string {
	var b strings.Builder
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s=%s;", h.Key, h.Value)
	}
	return b.String()
}

// S12: what a well-keyed source makes is a function of its content, byte for
// byte, wherever transactions and processes begin and end.
func TestSameBytesWhateverTheBatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	var input []*kgo.Record
	for range 400 {
		user := fmt.Sprintf("u%d", rng.IntN(20))
		input = append(input, impressionRecord(user, fmt.Sprintf("f%d", rng.IntN(3)),
			[]string{"on", "off", "control"}[rng.IntN(3)], int64(rng.IntN(50))))
	}
	var dumps [][]string
	for _, chunks := range []int{1, 4, 16} {
		w := newWorld(t, "traits: [{name: \"{split}\", not_served: clear}]", 3)
		dir := t.TempDir()
		for chunk := range slices.Chunk(input, len(input)/chunks) {
			var records []*kgo.Record
			for _, r := range chunk {
				place := w.webhook(string(r.Key), "", "", 0)
				records = append(records, &kgo.Record{
					Topic: place.Topic, Partition: place.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
				})
			}
			w.put(records...)
			w.member(dir).drain()
		}
		dumps = append(dumps, w.dump())
	}
	for _, d := range dumps[1:] {
		if !slices.Equal(dumps[0], d) {
			t.Fatal("other batches have made other changes")
		}
	}
	if len(dumps[0]) < 50 {
		t.Fatalf("only %d changes: the input tests nothing", len(dumps[0]))
	}
}

// S4: not_served takes a trait away, once, with its reason, and an older
// impression does not bring it back; the default leaves it alone.
func TestNotServed(t *testing.T) {
	for policy, want := range map[string]string{
		"ignore": `"on"`,
		"store":  `"on" "control"`,
		"clear":  `"on" removed "off"`,
	} {
		t.Run(policy, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf("traits: [{name: \"{split}\", not_served: %s}]", policy), 1)
			dir := t.TempDir()
			w.put(w.webhook("u", "f", "on", 10), w.webhook("u", "f", "control", 20))
			w.member(dir).drain()
			w.put(w.webhook("u", "f", "control", 30), w.webhook("u", "f", "on", 15), w.webhook("v", "f", "control", 5))
			w.member(dir).drain()
			if policy == "clear" {
				w.put(w.webhook("u", "f", "off", 40))
				w.member(dir).drain()
			}
			got := w.changes()
			if values := strings.Join(got["user/u/f"], " "); values != want {
				t.Errorf("the changes are %s, want %s", values, want)
			}
			if policy != "store" && got["user/v/f"] != nil {
				t.Errorf("a user who was never served has the changes %v", got["user/v/f"])
			}
		})
	}
}

// A change carries its source's timestamp, its id and the app; a removal its
// reason too. A source without timestamps lends the time that was seen.
func TestRecordsOfTheTraitsTopic(t *testing.T) {
	w := newWorld(t, "app: shop\ntraits: [{name: \"{split}\", not_served: clear}]", 1)
	first := w.webhook("u", "f", "on", 10)
	first.Timestamp = time.UnixMilli(noon + 7000)
	none := w.webhook("u", "g", "on", 10)
	none.Timestamp = time.UnixMilli(-1)
	w.put(first, w.webhook("u", "f", "control", 20), none)
	w.member("").drain()
	records := w.read(w.topics.Traits)[0]
	if len(records) != 3 {
		t.Fatalf("there are %d records, want 3", len(records))
	}
	if got := string(records[0].Key); got != `{"identity":"user","id":"u","trait":"f"}` {
		t.Errorf("the key is %s", got)
	}
	value := string(records[0].Value)
	id := string(records[0].Headers[0].Value)
	want := `{"identity":"user","id":"u","trait":"f","value":"on","previous":null,"seen_at":"2026-03-02T12:00:00.010Z",` +
		`"split":"f","environment":null,"label":"default rule","flag_version":7,"definition":"{split}","change_id":"` + id +
		`","source":{"topic":"impressions","partition":0,"offset":0}}`
	if value != want || len(id) != 32 {
		t.Errorf("the value is\n%s, want\n%s", value, want)
	}
	if got := records[0].Timestamp.UnixMilli(); got != noon+7000 {
		t.Errorf("the timestamp is %d", got)
	}
	if got := headers(records[1]); records[1].Value != nil || !strings.HasSuffix(got, "traitstream.app=shop;traitstream.reason=not_served;") {
		t.Errorf("the removal has the value %s and the headers %s", records[1].Value, got)
	}
	if got := records[2].Timestamp.UnixMilli(); got != noon+10 {
		t.Errorf("without a timestamp in the source it is %d", got)
	}
}

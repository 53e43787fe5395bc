package preview

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
	"traitstream/trait"
)

// fill puts impressions of eight users and two flags, each of which changes once.
func (w *world) fill() {
	w.t.Helper()
	for round, treatment := range []string{"off", "on", "on"} {
		for user := range 8 {
			for _, flag := range []string{"f", "g"} {
				w.put(w.webhook(fmt.Sprintf("u%d", user), flag, treatment, int64(round*1000)))
			}
		}
	}
}

// All that a definition makes of the history is counted.
func TestCounts(t *testing.T) {
	w := newWorld(t, "", 3, false)
	w.fill()
	w.put(w.webhook("u0", "g", "control", 4000), &kgo.Record{Topic: "impressions", Value: []byte("{"), Timestamp: time.UnixMilli(noon)})
	r := w.preview("")
	if !r.Complete || r.OneIn != 1 || r.Records != 50 || r.Impressions != 49 || r.NotServed != 1 || r.Refused["malformed"] != 1 ||
		r.First != noon || r.Last != noon+4000 || len(r.Unwanted) != 0 {
		t.Errorf("%+v", r)
	}
	d := r.Definitions[0]
	if d.Impressions != 48 || d.Users != (Count{N: 8}) || d.Changes.First != 16 || d.Changes.Changed != 16 || d.Changes.Removed != 0 ||
		!slices.Equal(d.Changes.Days, []Day{{noon - noon%day, 32}}) || len(d.Misses) != 0 {
		t.Errorf("%+v", d)
	}
	want := `[{f 8 [{"on" 8}] 0} {g 8 [{"on" 8}] 0}]`
	if got := fmt.Sprint(d.Traits); got != want {
		t.Errorf("traits %s", got)
	}
	if len(d.Sample) != 8 || len(d.Sample[0].Traits) != 2 || d.Sample[0].Traits[1].Trait != "g" || d.Sample[0].Traits[0].SeenAt != noon+2000 {
		t.Errorf("sample %+v", d.Sample)
	}
	if a := r.Difference; a.Exists || a.Added != 16 || a.Same+a.Removed+a.Changed+a.Kept+a.Unprocessed != 0 {
		t.Errorf("difference %+v", a)
	}
}

// What the app holds is compared with what other definitions would make.
func TestDifference(t *testing.T) {
	w := newWorld(t, "traits: [{name: \"{split}\"}, {name: gone, where: {split: f}, any: [{treatment: \"on\"}]}]", 3, true)
	w.fill()
	w.run()
	if a := w.preview("").Difference; !a.Exists || a.Same != 24 || a.Added+a.Removed+a.Changed+a.Kept+a.Unprocessed+a.Waiting+a.Unread != 0 {
		t.Errorf("of the same definitions: %+v", a)
	}
	a := w.preview("traits: [{name: \"{split}\", where: {treatment: \"off\", split: f}}, {name: also, where: {split: g}}]").Difference
	if a.Added != 8 || a.Removed != 16 || a.Changed != 8 || a.Same != 0 || a.Unprocessed != 0 {
		t.Errorf("of others: %+v", a)
	}
	if got, want := fmt.Sprint(a.Traits), "[{also 8 0 0 0} {f 0 0 8 0} {g 0 8 0 0} {gone 0 8 0 0}]"; got != want {
		t.Errorf("by trait %s", got)
	}
	if len(a.Examples) != 32 {
		t.Errorf("examples %+v", a.Examples)
	}
	for _, e := range a.Examples {
		want := map[string]string{"also": `added  "on"`, "f": `changed "on" "off"`, "g": `removed "on" `, "gone": `removed "on" `}[e.Trait]
		if got := e.Kind + " " + e.Held + " " + e.Computed; got != want {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	one := w.preview("traits: [{name: \"{split}\", where: {treatment: \"off\", split: f}}, {name: also, where: {split: g}}]",
		func(o *Options) { o.Trait = "also" })
	if len(one.Definitions) != 1 || one.Definitions[0].Name != "also" || one.Difference.Added != 8 || one.Difference.Removed != 0 {
		t.Errorf("of one trait: %+v", one)
	}
}

// What came after the app's traits is told apart, and so is what lies before the
// history.
func TestUnprocessedAndKept(t *testing.T) {
	w := newWorld(t, "", 2, true)
	w.fill()
	w.run()
	w.put(w.webhook("u1", "f", "v2", 9000), w.webhook("new", "f", "on", 9000))
	if a := w.preview("").Difference; a.Unprocessed != 2 || a.Same != 15 || a.Added+a.Changed+a.Removed != 0 {
		t.Errorf("unprocessed: %+v", a)
	}
	r := w.preview("", func(o *Options) { o.Since = time.UnixMilli(noon + 5000) })
	if a := r.Difference; a.Kept != 15 || a.Unprocessed != 2 || a.Removed != 0 || r.Records != 2 {
		t.Errorf("since: %+v of %d records", a, r.Records)
	}
	r = w.preview("traits: [{name: other, where: {split: f}}]", func(o *Options) { o.Since = time.UnixMilli(noon + 5000) })
	if a := r.Difference; a.Kept != 0 || a.Removed != 16 || a.Unprocessed != 2 {
		t.Errorf("of a definition that is gone: %+v", a)
	}
}

// Forwarded impressions wait in the inbox, and commands there are no such.
func TestWaiting(t *testing.T) {
	w := newWorld(t, "", 2, true)
	w.fill()
	w.run()
	inbox := func(headers []schemas.Header) *kgo.Record {
		r := &kgo.Record{Topic: w.topics.Inbox.Name, Key: []byte("u1")}
		for _, h := range headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		return r
	}
	w.put(inbox(schemas.Command{Kind: schemas.Forget}.Headers()), inbox(schemas.Command{Kind: schemas.Tick, Time: noon}.Headers()),
		inbox(schemas.InboxHeaders(trait.Place{Topic: "impressions", Index: -1, Timestamp: noon})))
	if a := w.preview("").Difference; a.Waiting != 1 || a.Same != 16 {
		t.Errorf("%+v", a)
	}
}

// What stays as it is in force is not computed anew: where the history gives something
// else, that is told apart.
func TestUntouched(t *testing.T) {
	const source = "sources: [{topic: impressions, from: latest}]\n"
	w := newWorld(t, source+"traits: [{name: \"{split}\"}, {name: plan, where: {split: f}}]", 2, true)
	w.put(w.webhook("before", "f", "on", 0))
	w.run() // and does not read that
	w.fill()
	w.run()
	from := func(yaml string, since time.Time) *Difference {
		return w.preview(source+yaml, func(o *Options) { o.Since, o.Change = since, trait.NewChange(w.cfg.Set, o.Config.Set) }).Difference
	}
	if a := from("traits: [{name: \"{split}\"}]", time.Time{}); a.Untouched != 1 || a.Removed != 8 || a.Same != 16 || a.Added+a.Changed+a.Kept+a.Lost != 0 {
		t.Errorf("one goes: %+v", a)
	}
	const changed = "traits: [{name: \"{split}\", where: {environmentName: Production}}, {name: plan, where: {split: f}}]"
	if a := from(changed, time.Time{}); a.Untouched != 1 || a.Added != 1 || a.Same != 24 || a.Removed+a.Changed+a.Kept+a.Lost != 0 {
		t.Errorf("one changes: %+v", a)
	}
	// What the sources have is not lost where it is not read.
	if a := from(changed, time.UnixMilli(noon+5000)); a.Kept != 24 || a.Untouched+a.Added+a.Same+a.Removed+a.Changed+a.Lost != 0 {
		t.Errorf("one changes, not all is read: %+v", a)
	}
}

// Definitions get near misses, and flags that none wants are told.
func TestMisses(t *testing.T) {
	w := newWorld(t, "traits: [{name: \"{split}\", where: {split: f, environmentName: Prodution}}, {name: fine, where: {split: f}}]", 2, false)
	w.fill()
	r := w.preview("")
	if d := r.Definitions[0]; d.Impressions != 0 || len(d.Misses) != 1 || d.Misses[0].Condition != "environmentName equals Prodution" ||
		d.Misses[0].Tried != 48 || d.Misses[0].Nearest != "Production" {
		t.Errorf("%+v", d)
	}
	if !slices.Equal(r.Unwanted, []Flag{{"g", 24}}) {
		t.Errorf("unwanted %+v", r.Unwanted)
	}
}

// Traits expire, and are taken away by what was not served.
func TestNone(t *testing.T) {
	w := newWorld(t, "traits: [{name: \"{split}\", not_served: clear, where: {split: f}}, {name: old, expire_after: 1h, where: {split: g}}]", 2, true)
	w.fill()
	w.put(w.webhook("u1", "f", "control", 3000))
	r := w.preview("", func(o *Options) { o.Now = time.UnixMilli(noon + 2*60*60*1000) })
	f, g := r.Definitions[0], r.Definitions[1]
	if f.None != 1 || f.Changes.Removed != 1 || f.Traits[0].Users != 7 || g.Expired != 8 || len(g.Traits) != 0 || r.Difference.Added != 7 {
		t.Errorf("%+v\n%+v\n%+v", f, g, r.Difference)
	}
}

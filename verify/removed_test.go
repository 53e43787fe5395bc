package verify

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// forget puts the command to forget the victim's user into the inbox.
func (w *world) forget() {
	w.t.Helper()
	r := &kgo.Record{Topic: w.topics.Inbox.Name, Partition: w.task(), Key: victim.User}
	for _, h := range (schemas.Command{Kind: schemas.Forget, Identity: impression.User}).Headers() {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	w.put(r)
}

// Who was forgotten is no difference, nor are impressions that come after that and
// were seen before. It is the marker that says so, and nothing else: without it the
// traits are missing, and with it they must be.
func TestForgotten(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	before := w.logged()
	w.forget()
	w.run()
	w.put(w.webhook("u3", "f", "off", 5000), w.elsewhere(w.webhook("u3", "h", "on", 5000)))
	w.run()
	w.clean()
	w.put(w.webhook("u3", "f", "on", time.Now().UnixMilli()+1000-noon))
	w.run()
	w.clean()
	if rec := w.logged(); rec.Emitted.Previous != nil {
		t.Errorf("previous is %s after a removal", rec.Emitted.Previous)
	}
	key := schemas.AppendMarkerKey(nil, schemas.MarkerKeyOf(w.cfg.App, trait.Key{Identity: impression.User, User: victim.User}))
	marker := w.records(w.topics.Changelog, key)
	if len(marker) != 1 {
		t.Fatalf("there are %d markers", len(marker))
	}
	w.put(&kgo.Record{Topic: marker[0].Topic, Partition: marker[0].Partition, Key: key})
	if kinds := w.differences(); kinds["g"] != WrongTrait || kinds["h"] != WrongTrait {
		t.Errorf("without the marker the differences are %v", kinds)
	}
	w.put(&kgo.Record{Topic: marker[0].Topic, Partition: marker[0].Partition, Key: key, Value: marker[0].Value})
	w.log(&before)
	if kinds := w.differences(); kinds["f"] == "" || len(kinds) != 1 {
		t.Errorf("with what was forgotten the differences are %v", kinds)
	}
}

// differences returns the kind of the difference in each of the victim's user's
// traits.
func (w *world) differences() map[string]Kind {
	w.t.Helper()
	_, all := w.verifyWith()
	kinds := map[string]Kind{}
	for _, d := range all {
		if d.User != string(victim.User) {
			w.t.Errorf("of %s %s: %s", d.User, d.Trait, d.Message)
		}
		kinds[d.Trait] = d.Kind
	}
	return kinds
}

// What has expired by the task's clock is no difference, whether the sweep has come
// to it or not, if all say the same; a trait that is alive must be there.
func TestExpired(t *testing.T) {
	w := newWorld(t, "output: {partitions: 1}", 1)
	w.fill()
	w.put(w.webhook("u4", "f", "alive", time.Now().UnixMilli()-noon))
	w.run()
	before := w.logged()
	w.configure("traits: [{name: \"{split}\", expire_after: 30d}]\noutput: {partitions: 1}")
	w.clean()
	w.expire()
	w.put(w.webhook("u3", "f", "off", 5000)) // too old
	w.run()
	w.clean()
	w.log(&before)
	if kinds := w.differences(); kinds["f"] != WrongTopic || len(kinds) != 1 {
		t.Errorf("with what has expired the differences are %v", kinds)
	}
	w.log(nil)
	alive := trait.Key{Identity: impression.User, User: []byte("u4"), Trait: []byte("f")}
	w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Partition: kafka.Partition(alive.User, 1), Key: schemas.AppendStateKey(nil, alive)})
	if _, all := w.verifyWith(); len(all) != 1 || all[0].User != "u4" {
		t.Errorf("without a trait that is alive the differences are %v", all)
	}
}

// expire runs a process until the victim's trait has expired.
func (w *world) expire() {
	w.t.Helper()
	before := len(w.sent())
	ctx, stop := context.WithCancel(w.limit())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.process(ctx, false)
	}()
	for len(w.sent()) == before {
		select {
		case <-ctx.Done():
			w.t.Fatal("nothing expires")
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	<-ended
}

// What has expired stays away when expire_after becomes longer or is taken away. That
// is no difference and no match either; nor is what comes late and counts by then.
func TestExpiredBefore(t *testing.T) {
	w := newWorld(t, "traits: [{name: \"{split}\", expire_after: 30d}]\noutput: {partitions: 1}", 1)
	w.fill()
	w.put(w.webhook("u4", "f", "alive", time.Now().UnixMilli()-noon))
	w.expire()
	w.clean()
	for _, again := range []string{", expire_after: 3650d", ""} {
		w.configure(strings.Replace("traits: [{name: \"{split}\"AGAIN}]\noutput: {partitions: 1}", "AGAIN", again, 1))
		w.unverifiable(map[Reason]int64{ExpiredBefore: 15})
	}
	w.put(w.webhook("u3", "f", "late", 500))
	w.run()
	w.unverifiable(map[Reason]int64{ExpiredBefore: 14})
	w.put(w.webhook("u3", "f", "off", 0), w.webhook("u3", "g", "new", time.Now().UnixMilli()-noon))
	w.run()
	w.unverifiable(map[Reason]int64{ExpiredBefore: 13})
	w.log(nil)
	if kinds := w.differences(); kinds["f"] == "" || len(kinds) != 1 {
		t.Errorf("without a trait that has come back the differences are %v", kinds)
	}
	w.cutLogs(w.topics.Traits.Name, math.MaxInt64) // as compaction takes tombstones
	r, all := w.verifyWith()
	if r.Unverifiable[ExpiredBefore] != 14 {
		t.Errorf("without tombstones %v are not verifiable, want 14", r.Unverifiable)
	}
	for _, d := range all {
		if d.User+d.Trait != "u4f" && d.User+d.Trait != "u3g" {
			t.Errorf("without tombstones %s %s differs: %s", d.User, d.Trait, d.Message)
		}
	}
}

// A trait may have expired by any definition that ever was, before its tombstone or,
// where there is none and no value either, before now; and no sooner.
func TestMayHaveExpired(t *testing.T) {
	const day = int64(24 * time.Hour / time.Millisecond)
	var former []*trait.Set
	for _, yaml := range []string{`{name: "{split}", expire_after: 30d}`, `{name: "x_{split}", expire_after: 60d}, {name: "{split}"}`} {
		c, err := config.Parse("test.yaml", []byte("traits: ["+yaml+"]"), func(string) (string, bool) { return "", false })
		noError(t, err)
		former = append(former, c.Set)
	}
	p := &pass{verifier: &verifier{former: former}}
	for _, c := range []struct {
		name, definition string
		sent             sent
		age              int64 // before the clock
		want             bool
	}{
		{"f", "{split}", sent{}, 30 * day, true},
		{"f", "{split}", sent{}, 30*day - 1, false},
		{"f", "{split}", sent{value: "on"}, 1000 * day, false},
		{"f", "{split}", sent{known: true, expired: noon - 5*day}, 35 * day, true},
		{"f", "{split}", sent{known: true, expired: noon - 5*day}, 35*day - 1, false},
		{"f", "{split}", sent{known: true, expired: noon - 5*day, value: "on"}, 35 * day, true},
		{"f", "{split}", sent{known: true, expired: noon + 5*day}, 30*day - 1, false},
		{"x_f", "x_{split}", sent{}, 30 * day, true},
		{"x_f", "x_{split}", sent{}, 30*day - 1, false},
	} {
		s := &shard{away: takenAway{clock: noon}}
		if got := p.mayHaveExpired(s, &evidence{sent: c.sent}, trait.Key{Trait: []byte(c.name)}, noon-c.age, c.definition); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

package verify

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
	ctx, stop := context.WithCancel(w.limit())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.process(ctx, false)
	}()
	for len(w.sent()) < 3 || len(w.records(w.topics.Changelog, schemas.ClockKey())) == 0 {
		select {
		case <-ctx.Done():
			t.Fatal("nothing expires")
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	<-ended
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

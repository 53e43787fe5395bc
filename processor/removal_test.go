package processor

import (
	"bytes"
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

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// live is an impression that is seen some time ago, and written now.
func (b *bubble) live(user, flag, treatment string, ago time.Duration) *kgo.Record {
	now := time.Since(time.UnixMilli(noon))
	r := b.webhook(user, flag, treatment, (now - ago).Milliseconds())
	r.Timestamp = time.Now()
	return r
}

// story is what the traits topic tells of user u's flag f, removals by their reason.
func (b *bubble) story(user, flag string) string {
	b.t.Helper()
	var told []string
	key := schemas.AppendKey(nil, trait.Key{Identity: impression.User, User: []byte(user), Trait: []byte(flag)})
	for _, r := range b.read(b.topics.Traits)[kafka.Partition([]byte(user), b.topics.Tasks)] {
		if !bytes.Equal(r.Key, key) {
			continue
		}
		if r.Value == nil {
			told = append(told, string(header(r, schemas.HeaderReason)))
			continue
		}
		c, err := schemas.DecodeValue(r.Value)
		if err != nil {
			b.t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("%s<%s", c.Emission.Value, c.Emission.Previous))
	}
	return strings.Join(told, " ")
}

func (b *bubble) wantStory(user, flag, want string) {
	b.t.Helper()
	if got := b.story(user, flag); got != want {
		b.t.Errorf("the traits topic tells of %s %s: %s, want %s", user, flag, got, want)
	}
}

// receipt has users forgotten as the command does.
func (b *bubble) receipt(name string, users ...string) *fleet.Receipt {
	b.t.Helper()
	req := fleet.ForgetRequest{Identity: impression.User, Users: users, Trait: name}
	r, err := b.fleet().Forget(b.t.Context(), req)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// S10: a forgotten user is gone from state, changelog and traits topic; what was
// seen before and comes late, comes again or is restored changes nothing, and what
// is seen after that begins anew.
func TestForget(t *testing.T) {
	t.Parallel()
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		dir := t.TempDir()
		p := b.start(dir, nil)
		old := b.live("u", "f", "on", 0)
		b.put(old, b.live("u", "g", "on", 0), b.live("other", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.pass(time.Second)
		r := b.receipt("", "u", "nobody")
		b.checkReceipt(r, map[string]string{"u": "f g", "nobody": ""})
		stray := b.live("u", "f", "off", time.Minute)
		stray.Topic, stray.Partition = "b", 4
		b.put(old, stray, b.live("u", "h", "on", time.Minute))
		b.caughtUp(b.t.Context())
		b.wantStory("u", "f", `"on"< forgotten`)
		b.wantStory("u", "h", "")
		if n := p.impressions("a", "late") + p.impressions("b", "late"); n != 3 {
			t.Errorf("%d impressions were late, want 3", n)
		}
		b.kill(p)
		b.start(t.TempDir(), nil) // knows the marker from the changelog
		b.put(old, b.live("u", "f", "off", time.Minute))
		b.caughtUp(b.t.Context())
		b.wantStory("u", "f", `"on"< forgotten`)
		b.put(b.live("u", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.wantStory("u", "f", `"on"< forgotten "on"<`)
		b.wantStory("u", "g", `"on"< forgotten`)
		b.wantStory("other", "f", `"on"<`)
		b.settle()
		b.check(b.dirs...)
	})
}

// checkReceipt compares a receipt with the topics: what it names is there.
func (b *bubble) checkReceipt(r *fleet.Receipt, want map[string]string) {
	b.t.Helper()
	at := func(p fleet.LogPlace, topic kafka.Topic) *kgo.Record {
		for _, rec := range b.read(topic)[p.Partition] {
			if p.Topic == topic.Name && rec.Offset == p.Offset {
				return rec
			}
		}
		b.t.Fatalf("there is no record at %v", p)
		return nil
	}
	if len(r.Users) != len(want) {
		b.t.Errorf("the receipt has %d users, want %d", len(r.Users), len(want))
	}
	for _, u := range r.Users {
		var names, states []string
		for _, removed := range u.Traits {
			rec := at(removed.Place, b.topics.Traits)
			names = append(names, removed.Trait)
			if rec.Value != nil || string(header(rec, schemas.HeaderReason)) != "forgotten" || string(header(rec, schemas.HeaderChangeID)) != removed.ChangeID {
				b.t.Errorf("%+v is %s", removed, line(rec))
			}
		}
		for _, removed := range u.State {
			states = append(states, removed.Trait)
			if rec := at(removed.Place, b.topics.Changelog); rec.Value != nil {
				b.t.Errorf("%+v is no tombstone", removed)
			}
		}
		m, err := schemas.DecodeMarker(at(u.Marker, b.topics.Changelog).Value)
		if err != nil || schemas.FormatTime(m.Until) != u.RefusedUntil {
			b.t.Errorf("%s is refused until %s, but the marker says %d, %v", u.ID, u.RefusedUntil, m.Until, err)
		}
		slices.Sort(names)
		slices.Sort(states)
		if got := strings.Join(names, " "); got != want[u.ID] || strings.Join(states, " ") != got {
			b.t.Errorf("of %s %q and %q were removed, want %q", u.ID, got, states, want[u.ID])
		}
	}
}

// One trait alone is forgotten, of what is committed, of what waits for the store
// and of what was moved and not logged.
func TestForgetOneTrait(t *testing.T) {
	t.Parallel()
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		p := b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 0), b.live("u", "g", "on", 0))
		b.caughtUp(b.t.Context())
		b.pass(5 * time.Second)
		b.put(b.live("u", "f", "on", 0), b.live("u", "g", "on", 0)) // moves
		b.caughtUp(b.t.Context())
		b.checkReceipt(b.receipt("f", "u"), map[string]string{"u": "f"})
		b.put(b.live("u", "f", "off", time.Second), b.live("u", "g", "off", time.Second))
		b.pass(time.Second)
		b.put(b.live("u", "g", "off", 0))
		b.caughtUp(b.t.Context())
		b.kill(p)
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "off", time.Minute))
		b.settle()
		b.wantStory("u", "f", `"on"< forgotten`)
		b.wantStory("u", "g", `"on"< "off"<"on"`)
		b.check(b.dirs...)
	})
}

// The marker's time is not before any that was removed: a clock that is ahead does
// not bring anything back.
func TestForgetWhatIsAhead(t *testing.T) {
	t.Parallel()
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		ahead := b.live("u", "f", "on", -5*time.Minute)
		b.put(ahead)
		b.caughtUp(b.t.Context())
		r := b.receipt("", "u")
		b.put(ahead, b.live("u", "f", "off", -4*time.Minute))
		b.caughtUp(b.t.Context())
		b.put(b.live("u", "f", "off", -6*time.Minute))
		b.settle()
		b.wantStory("u", "f", `"on"< forgotten "off"<`)
		if until := schemas.FormatTime(ahead.Timestamp.Add(5 * time.Minute).UnixMilli()); r.Users[0].RefusedUntil != until {
			t.Errorf("refused until %s, want %s", r.Users[0].RefusedUntil, until)
		}
		b.check(b.dirs...)
	})
}

// What was taken away by an impression is not taken away again, and its none is
// forgotten with the rest.
func TestForgetAfterClear(t *testing.T) {
	t.Parallel()
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", time.Second), b.live("u", "f", "control", 0))
		b.caughtUp(b.t.Context())
		if u := b.receipt("", "u").Users[0]; len(u.Traits) != 0 || len(u.State) != 1 {
			t.Errorf("the receipt tells of %v and %v", u.Traits, u.State)
		}
		b.put(b.live("u", "f", "on", time.Second))
		b.settle()
		b.wantStory("u", "f", `"on"< not_served`)
		b.check(b.dirs...)
	})
}

// With nobody to do it the wait ends in time, and whoever comes later does it.
func TestForgetWithoutAWorker(t *testing.T) {
	t.Parallel()
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		p := b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.kill(p)
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		told := 0
		_, err := b.fleet().Forget(ctx, fleet.ForgetRequest{
			Identity: impression.User, Users: []string{"u"}, Progress: func(done, users int) { told += users - done },
		})
		if !errors.Is(err, fleet.ErrNotForgotten) || told < 30 {
			t.Errorf("the error is %v, and progress was told %d times", err, told)
		}
		b.start(t.TempDir(), nil)
		b.settle()
		b.wantStory("u", "f", `"on"< forgotten`)
	})
}

// A command that is none of ours is a dead letter and holds nobody up.
func TestForeignCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 2)
	command := func(key string, headers ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: w.topics.Inbox.Name, Partition: kafka.Partition([]byte("u"), 2), Key: []byte(key), Headers: headers}
	}
	kind, identity := kgo.RecordHeader{Key: "traitstream.kind", Value: []byte("forget")}, kgo.RecordHeader{Key: "traitstream.identity", Value: []byte("user")}
	elsewhere := "v"
	for kafka.Partition([]byte(elsewhere), 2) == kafka.Partition([]byte("u"), 2) {
		elsewhere += "v"
	}
	w.put(w.webhook("u", "f", "on", 0), command("u", kind), command(elsewhere, kind, identity),
		command("", kgo.RecordHeader{Key: "traitstream.kind", Value: []byte("tick")}))
	w.member("").drain()
	if got := w.changes()["user/u/f"]; len(got) != 1 {
		t.Errorf("the changes are %v", got)
	}
	letters := 0
	for _, records := range w.read(w.topics.DeadLetters) {
		letters += len(records)
	}
	if letters != 3 {
		t.Errorf("%d dead letters, want 3", letters)
	}
}

// A thousand users are forgotten while impressions of them stream in, and the
// process is killed in the middle: nothing that was seen before is left of them, and
// nothing of others is lost.
func TestForgetUnderLoad(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]bool{"": false, "kill -9": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
				forgetUnderLoad(b, kill)
			})
		})
	}
}

func forgetUnderLoad(b *bubble, kill bool) {
	const rounds, forgotten, users = 50, 1000, 1300
	r := rand.New(rand.NewPCG(11, 13))
	p := b.start(b.t.TempDir(), nil)
	b.start(b.t.TempDir(), nil)
	var asked []askedFor
	for round := range rounds {
		var records []*kgo.Record
		for range 100 {
			rec := b.live(fmt.Sprintf("u%d", r.IntN(users)), fmt.Sprintf("f%d", r.IntN(3)),
				[]string{"on", "off", "control"}[r.IntN(3)], time.Duration(r.Int64N(int64(2*time.Second))))
			if r.IntN(5) == 0 {
				rec.Topic, rec.Partition = "b", r.Int32N(5)
			}
			records = append(records, rec)
		}
		b.put(records...)
		for i := range forgotten / rounds {
			asked = append(asked, b.askToForget(fmt.Sprintf("u%d", round*forgotten/rounds+i), ""))
		}
		if kill && round == rounds/2 {
			b.kill(p)
			b.start(p.dir, nil)
		}
		b.pass(100 * time.Millisecond)
	}
	b.settle()
	b.check(b.dirs...)
	b.checkForgotten(asked)
	b.checkNothingBefore(asked)
	b.verify()
}

// checkNothingBefore reads changelog and traits topic by itself: what they have of
// forgotten users was seen after that.
func (b *bubble) checkNothingBefore(asked []askedFor) {
	b.t.Helper()
	at := map[string]int64{}
	for _, a := range asked {
		at[a.user] = max(at[a.user], a.at)
	}
	left := 0
	for task := range b.topics.Tasks {
		for k, v := range b.replay(task, -1) {
			if schemas.IsTaskKey([]byte(k)) {
				continue
			}
			key, err := schemas.DecodeStateKey([]byte(k))
			var rec trait.Record
			if err = errors.Join(err, schemas.DecodeRecord([]byte(v), &rec)); err != nil {
				b.t.Fatal(err)
			}
			left++
			if rec.Seen.SeenAt <= at[string(key.User)] || rec.Emitted.Sent && rec.Emitted.SeenAt <= at[string(key.User)] {
				b.t.Errorf("the changelog has %s %s of %d, forgotten at %d", key.User, key.Trait, rec.Seen.SeenAt, at[string(key.User)])
			}
		}
		last := map[string][]byte{}
		for _, r := range b.read(b.topics.Traits)[task] {
			last[string(r.Key)] = r.Value
		}
		for k, v := range last {
			if v == nil {
				continue
			}
			c, err := schemas.DecodeValue(v)
			if err != nil {
				b.t.Fatal(err)
			}
			if c.Emission.SeenAt <= at[string(c.Key.User)] {
				b.t.Errorf("the traits topic has %s, seen at %d, forgotten at %d", k, c.Emission.SeenAt, at[string(c.Key.User)])
			}
		}
	}
	if left < 300 {
		b.t.Errorf("only %d traits are left: others have lost something", left)
	}
}

// The marker goes when it is old, and no source reaches back before it.
func TestOldMarkersGo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes under the race detector: hours of transactions")
	}
	t.Parallel()
	yaml := bubbleYAML + "state: {keep_forgotten: 10m}\n"
	inBubble(t, yaml, nil, func(b *bubble) {
		dir := t.TempDir()
		p := b.start(dir, nil)
		b.put(b.live("u", "f", "on", 0), b.live("v", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.receipt("", "u")
		markers := func() int {
			n := 0
			for task := range b.topics.Tasks {
				for k := range b.replay(task, -1) {
					if _, ok := schemas.ParseMarkerKey([]byte(k)); ok {
						n++
					}
				}
			}
			return n
		}
		alive := func(d time.Duration) { // with impressions, so that there are transactions
			for end := time.Now().Add(d); time.Now().Before(end); {
				for i := range 10 {
					b.put(b.live(fmt.Sprint("v", i), "f", fmt.Sprint(time.Now().UnixMilli()), 0))
				}
				b.pass(10 * time.Minute)
			}
		}
		alive(70 * time.Minute)
		if n := markers(); n != 1 {
			t.Fatalf("there are %d markers while the source reaches back, want 1", n)
		}
		gone := kadm.Offsets{}
		for n := range b.topics.Sources["a"].Partitions {
			gone.AddOffset("a", n, 3, -1)
		}
		if _, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		alive(140 * time.Minute) // it is looked hourly, and what is asked for then is known a transaction later
		if n := markers(); n != 0 {
			t.Errorf("there are %d markers still", n)
		}
		if err := b.end(p); err != nil {
			t.Error(err)
		}
		b.checkState(dir)
	})
}

package processor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
)

const expiryYAML = `
sources: [{topic: a}, {topic: b}]
traits: [{name: "{split}", not_served: clear, expire_after: 90s}]
output: {partitions: 1}
processor: {session_timeout: 6s, workers: 1}
`

// S10: a trait that was not seen for so long on its task's clock is removed, once
// and not before; what is older and comes later is refused, by whoever has the task
// then.
func TestExpiry(t *testing.T) {
	t.Parallel()
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		p := b.start(t.TempDir(), nil)
		old, seen := b.live("u", "f", "on", 0), time.Now()
		cleared := b.live("w", "f", "on", 0)
		b.put(old, cleared, b.live("w", "f", "control", -time.Millisecond))
		for range 8 { // v is seen again and again, which no more than moves its time
			b.put(b.live("v", "f", "on", 0))
			b.pass(10 * time.Second)
		}
		b.pass(time.Until(seen.Add(90 * time.Second)))
		b.wantStory("u", "f", `"on"<`)
		b.put(b.live("v", "f", "on", 0))
		b.pass(sweepSlack)
		b.wantStory("u", "f", `"on"< expired`)
		b.wantStory("w", "f", `"on"< not_served`)
		b.wantStory("v", "f", `"on"<`)
		for _, r := range b.read(b.topics.Traits)[0] {
			if late := r.Timestamp.Sub(seen.Add(90 * time.Second)); r.Value == nil && string(header(r, schemas.HeaderReason)) == "expired" && (late < 0 || late > sweepSlack) {
				t.Errorf("expired at %v, %s after it should", r.Timestamp, late)
			}
		}
		if n := len(b.replay(0, -1)); n != 2 { // v and the clock
			t.Errorf("the changelog has %d keys, want 2", n)
		}
		b.kill(p)
		q := b.start(t.TempDir(), nil) // has the clock from the changelog
		again := *old
		again.Timestamp = time.Now()
		b.put(&again, b.live("x", "f", "on", 2*time.Minute))
		b.caughtUp(b.t.Context())
		b.wantStory("u", "f", `"on"< expired`)
		b.wantStory("x", "f", "")
		if n := q.impressions("a", "late"); n != 2 {
			t.Errorf("%d impressions were late, want 2", n)
		}
		b.put(b.live("u", "f", "on", time.Second))
		b.caughtUp(b.t.Context())
		b.wantStory("u", "f", `"on"< expired "on"<`)
		b.pass(90*time.Second + sweepSlack)
		b.wantStory("u", "f", `"on"< expired "on"< expired`)
		b.wantStory("v", "f", `"on"< expired`)
		b.settle()
		b.check(b.dirs...)
	})
}

// A trait expires whose definition is gone where another one can feed it, and one that
// none can feed stays.
func TestExpiryUnderAnotherDefinition(t *testing.T) {
	t.Parallel()
	inBubble(t, strings.Replace(expiryYAML, `"{split}"`, `"trait_{split}"`, 1), nil, func(b *bubble) {
		dir := t.TempDir()
		p := b.start(dir, nil)
		b.put(b.live("u", "f", "on", 0), b.live("u", "g", "on", 0))
		b.caughtUp(b.t.Context())
		if err := b.end(p); err != nil {
			t.Error(err)
		}
		b.under(strings.Replace(expiryYAML, `"{split}"`, `"trait_f", where: {split: f}`, 1))
		b.start(dir, nil)
		b.pass(90*time.Second + sweepSlack)
		b.wantStory("u", "trait_f", `"on"< expired`)
		b.wantStory("u", "trait_g", `"on"<`)
	})
}

// A clock does not run ahead of what its task has yet to read: a backlog that keeps
// a trait from expiring is read first.
func TestExpiryWaitsForTheBacklog(t *testing.T) {
	t.Parallel()
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		dir := t.TempDir()
		p := b.start(dir, nil)
		b.put(b.live("u", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.kill(p)
		for range 40 {
			b.pass(30 * time.Second)
			b.put(b.live("u", "f", "on", 0))
		}
		b.start(dir, nil)
		b.settle()
		b.wantStory("u", "f", `"on"<`)
		b.check(b.dirs...)
	})
}

// Nor ahead of what other tasks have yet to read and forward: an impression in the
// partition of another task, whose worker stands still, keeps a trait from expiring.
// When it is read the partition holds nobody up.
func TestExpiryWaitsForOthers(t *testing.T) {
	t.Parallel()
	yaml := strings.NewReplacer("partitions: 1", "partitions: 2", "workers: 1", "workers: 2").Replace(expiryYAML)
	inBubble(t, yaml, map[string]int32{"a": 2, "b": 2}, func(b *bubble) {
		user := "u"
		for kafka.Partition([]byte(user), 2) != 0 {
			user += "u"
		}
		goOn := make(chan struct{})
		b.start(t.TempDir(), func(p *process) {
			p.o.at = func(n int, at boundary) error {
				stray := func(r *kgo.Record) bool { return r.Topic == "b" && r.Partition == 1 }
				if at == polled && slices.ContainsFunc(p.workers[n].batch.records, stray) {
					<-goOn
				}
				return nil
			}
		})
		b.put(b.live(user, "f", "on", 0))
		b.pass(time.Minute)
		kept := b.live(user, "f", "on", 0)
		kept.Topic, kept.Partition = "b", 1
		b.put(kept)
		b.pass(time.Minute)
		b.wantStory(user, "f", `"on"<`)
		close(goOn)
		b.pass(sweepSlack)
		b.wantStory(user, "f", `"on"<`)
		b.pass(time.Minute)
		b.wantStory(user, "f", `"on"< expired`)
		b.settle()
		b.check(b.dirs...)
	})
}

// Nothing expires while it can't be told what is left to read.
func TestExpiryWaitsForAnswers(t *testing.T) {
	t.Parallel()
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 0))
		b.caughtUp(b.t.Context())
		refused := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownServerError, Count: -1})
		b.pass(2 * time.Minute)
		refused.Remove()
		b.wantStory("u", "f", `"on"<`)
		b.pass(sweepSlack)
		b.wantStory("u", "f", `"on"< expired`)
	})
}

// A tick's time is not after what the task has yet to read: nothing while that is not
// known, or lies before the clock.
func TestTickDue(t *testing.T) {
	const minute = int64(60_000)
	own := &task{number: 1, ready: true}
	w := &worker{leastExpiry: time.Hour, tasks: &tasks{owned: map[int32]*task{1: own}}}
	for reached, want := range map[int64]int64{0: 0, noon - 30*minute: 0, noon - 5*minute: noon - 5*minute, noon + 60*minute: noon} {
		own.reached.Store(reached)
		at, due := w.tickDue(&removals{task: own, clock: noon - 10*minute}, time.UnixMilli(noon))
		if due != (want > 0) || due && at != want {
			t.Errorf("where all is read up to %d there is a tick at %d, %v, want %d", reached, at, due, want)
		}
	}
}

// A tick that begins a sweep does not drop what the one before has found.
func TestTickKeepsWhatIsStale(t *testing.T) {
	s, err := state.Open(state.Options{App: "test", ClusterID: "test", InMemory: true, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	w := &worker{leastExpiry: time.Hour, state: s.NewOverlay()}
	r := &removals{task: &task{}, sweep: sweep{stale: [][]byte{[]byte("found")}}}
	w.tick(r, noon)
	if !r.sweep.going || len(r.sweep.stale) != 1 {
		t.Errorf("after a tick the sweep is %+v", r.sweep)
	}
}

// Clocks tick no more often than they should, alone where something expires, and
// with nothing to read too; a task's clock never goes back.
func TestTicks(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string][2]int{expiryYAML: {60, 135}, strings.Replace(expiryYAML, ", expire_after: 90s", "", 1): {0, 0}} {
		inBubble(t, yaml, nil, func(b *bubble) {
			b.start(t.TempDir(), nil)
			b.pass(10 * time.Minute)
			clocks := b.clocks()
			if n := len(clocks); n < want[0] || n > want[1] {
				t.Errorf("%d ticks in ten minutes, want %v", n, want)
			}
			b.put(&kgo.Record{
				Topic: b.topics.Inbox.Name, Timestamp: time.Now(),
				Headers: fleet.RecordHeaders(schemas.Command{Kind: schemas.Tick, Time: noon}.Headers()),
			})
			b.settle()
			clocks = b.clocks()
			for i := range clocks {
				if i > 0 && clocks[i] <= clocks[i-1] {
					t.Errorf("the clock goes from %d to %d", clocks[i-1], clocks[i])
				}
			}
			b.check(b.dirs...)
		})
	}
}

// A tick of a machine whose clock is far ahead moves no clock beyond the now of who
// reads it, so nothing expires for it, and nothing is refused.
func TestTickFromAhead(t *testing.T) {
	t.Parallel()
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 0))
		b.put(&kgo.Record{
			Topic: b.topics.Inbox.Name, Timestamp: time.Now(),
			Headers: fleet.RecordHeaders(schemas.Command{Kind: schemas.Tick, Time: time.Now().AddDate(70, 0, 0).UnixMilli()}.Headers()),
		})
		b.caughtUp(b.t.Context())
		b.put(b.live("u", "f", "off", 0))
		b.settle()
		b.wantStory("u", "f", `"on"< "off"<"on"`)
		for _, at := range b.clocks() {
			if at > time.Now().UnixMilli() {
				t.Errorf("the clock is at %d, %s ahead", at, time.Until(time.UnixMilli(at)))
			}
		}
		b.check(b.dirs...)
	})
}

// clocks are all that the changelog says of the first task's clock, in order.
func (b *bubble) clocks() []int64 {
	b.t.Helper()
	var all []int64
	for _, r := range b.read(b.topics.Changelog)[0] {
		if !schemas.IsClockKey(r.Key) {
			continue
		}
		ms, err := schemas.DecodeClock(r.Value)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, ms)
	}
	return all
}

// More traits than a step of a sweep takes expire, each once, also where the process
// is killed in the middle.
func TestManyExpire(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes under the race detector: a sweep over very many keys")
	}
	t.Parallel()
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		dir := t.TempDir()
		p := b.start(dir, nil)
		var records []*kgo.Record
		for i := range 3 * mostStale {
			records = append(records, b.live(fmt.Sprint("u", i), "f", "on", 0))
		}
		b.put(records...)
		b.caughtUp(b.t.Context())
		for tries := 0; b.expired() == 0; tries++ {
			if tries > 5000 {
				t.Fatal("nothing expires")
			}
			b.pass(20 * time.Millisecond)
		}
		b.kill(p)
		if n := b.expired(); n == 3*mostStale {
			t.Error("all have expired before the kill")
		}
		b.start(dir, nil)
		b.pass(sweepSlack)
		b.settle()
		if n := b.expired(); n != 3*mostStale {
			t.Errorf("%d expired, want %d", n, 3*mostStale)
		}
		b.check(b.dirs...)
	})
}

// expired counts the tombstones of the first task.
func (b *bubble) expired() (n int) {
	b.t.Helper()
	for _, r := range b.read(b.topics.Traits)[0] {
		if r.Value == nil {
			n++
		}
	}
	return n
}

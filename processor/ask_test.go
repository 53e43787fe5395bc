package processor

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// asker asks a bubble's processes for users.
type asker struct {
	b     *bubble
	asks  sync.WaitGroup
	mu    sync.Mutex
	told  []toldChange
	count map[error]int // of errors, by kind
}

// toldChange is a change that a process knew of, when the traits topic was stable up to
// an offset.
type toldChange struct {
	id     [16]byte
	task   int32
	stable int64
}

var askErrors = []error{ErrElsewhere, ErrRestoring, ErrBusy}

// ask asks a process for a user, beside the test.
func (a *asker) ask(p *process, user string) {
	l := a.lookup(user)
	a.asks.Go(func() {
		ctx, cancel := context.WithTimeout(a.b.t.Context(), 3*time.Second)
		defer cancel()
		known, err := p.Ask(ctx, l)
		stable := a.b.cluster.PartitionInfos(a.b.topics.Traits.Name)[l.Task].LastStableOffset
		a.mu.Lock()
		defer a.mu.Unlock()
		if err != nil {
			a.count[kindOf(a.b.t, err)]++
			return
		}
		a.count[nil]++
		for _, kt := range known.Traits {
			if kt.Record.Emitted.Sent {
				id := trait.ChangeID(a.b.cfg.App, trait.Key{Identity: l.User.Identity, User: []byte(user), Trait: kt.Name}, &kt.Record.Emitted)
				a.told = append(a.told, toldChange{id, l.Task, stable})
			}
		}
	})
}

func (a *asker) lookup(user string) state.Lookup {
	return state.Lookup{
		Task: kafka.Partition([]byte(user), a.b.topics.Tasks), User: state.User{Identity: impression.User, ID: user}, Most: 100,
	}
}

// kindOf returns which of the errors of Ask it is. Anything else is a failure.
func kindOf(t *testing.T, err error) error {
	t.Helper()
	for _, kind := range askErrors {
		if errors.Is(err, kind) {
			return kind
		}
	}
	t.Errorf("asking: %v", err)
	return nil
}

// users returns all users that inputs have.
func (a *asker) users() (all []string) {
	for i := range 12 {
		all = append(all, fmt.Sprintf("k%d", i))
	}
	for i := range 6 {
		all = append(all, fmt.Sprintf("s%d", i))
	}
	return all
}

// everything returns what the processes know of all users, by state key. It waits
// for tasks that nobody has yet.
func (a *asker) everything() map[string]string {
	a.b.t.Helper()
	all := map[string]string{}
	for _, user := range a.users() {
		for _, kt := range a.patiently(user).Traits {
			key := trait.Key{Identity: impression.User, User: []byte(user), Trait: kt.Name}
			all[string(schemas.AppendStateKey(nil, key))] = string(schemas.AppendRecord(nil, &kt.Record))
		}
	}
	return all
}

func (a *asker) patiently(user string) *state.Known {
	a.b.t.Helper()
	for range 600 {
		for _, p := range a.b.alive {
			ctx, cancel := context.WithTimeout(a.b.t.Context(), 10*time.Second)
			known, err := p.Ask(ctx, a.lookup(user))
			cancel()
			if err == nil {
				return known
			}
			_ = kindOf(a.b.t, err) // it tells of others
		}
		a.b.pass(time.Second)
	}
	a.b.t.Fatalf("nobody answers for %s; %s", user, a.b.group())
	return nil
}

// checkTold holds each change that was told of to have been committed by then.
func (a *asker) checkTold() {
	a.b.t.Helper()
	places := map[string]int64{}
	for _, records := range a.b.read(a.b.topics.Traits) {
		for _, r := range records {
			id := string(header(r, schemas.HeaderChangeID))
			if _, again := places[id]; !again { // by a replay that sends all
				places[id] = r.Offset
			}
		}
	}
	for _, one := range a.told {
		if at, ok := places[hex.EncodeToString(one.id[:])]; !ok || at >= one.stable {
			a.b.t.Errorf("change %x was told when task %d was stable up to %d; it is at %d (%v)", one.id, one.task, one.stable, at, ok)
		}
	}
}

// Whatever happens to processes, network and broker, what is told of users was
// committed; and when all is calm, it is what the changelog gets at a stop, last-seen
// times that were not logged yet included.
func TestRandomAsks(t *testing.T) {
	t.Parallel()
	withSeeds(t, 12, randomAsks)
}

func randomAsks(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	yaml := fmt.Sprintf("sources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\", not_served: clear}]\n"+
		"output: {partitions: %d}\nprocessor: {workers: %d, session_timeout: 6s, commit_interval: %dms, flush_interval: %s}\n",
		1+r.Int32N(4), 1+r.IntN(4), 1+r.IntN(500), []string{"0s", "200ms", "5m"}[r.IntN(3)])
	inBubble(t, yaml, map[string]int32{"b": 3}, func(b *bubble) {
		c := &chaos{Rand: r, b: b, in: newInput(b, seed)}
		c.in.steady = r.IntN(2) == 0
		a := &asker{b: b, count: map[error]int{}}
		for range 3 + c.IntN(6) {
			c.in.put(1 + c.IntN(30))
			for _, p := range b.alive {
				for _, user := range a.users() {
					a.ask(p, user)
				}
			}
			c.event()
			c.pass()
		}
		a.asks.Wait()
		c.calm()
		b.caughtUp(b.t.Context())
		got := a.everything()
		b.settle()
		a.checkTold()
		for task := range b.topics.Tasks {
			for k, v := range b.replay(task, -1) {
				if !schemas.IsTaskKey([]byte(k)) && got[k] != v {
					b.t.Errorf("%q was told as %q, and is logged as %q", k, got[k], v)
				}
				delete(got, k)
			}
		}
		for k := range got {
			b.t.Errorf("%q was told and is not logged", k)
		}
	})
}

// An idle process answers at once, one that has gone says so, and no process
// waits longer than it is asked to.
func TestAsk(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		in.put(60)
		p := b.start(b.t.TempDir(), nil)
		b.caughtUp(b.t.Context())
		a := &asker{b: b, count: map[error]int{}}
		a.everything() // all are here

		began := time.Now()
		for _, user := range a.users() {
			if _, err := p.Ask(b.t.Context(), a.lookup(user)); err != nil {
				b.t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			b.t.Errorf("%d answers took %s", len(a.users()), took)
		}

		p.cable.hold() // so a transaction takes its time
		in.put(30)
		b.pass(2 * time.Second)
		began = time.Now()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		for _, user := range a.users() {
			if _, err := p.Ask(ctx, a.lookup(user)); err != nil && !errors.Is(err, ErrBusy) {
				b.t.Error(err)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			b.t.Errorf("it took %s to give up", took)
		}
		p.cable.mend()
		b.caughtUp(b.t.Context())
		if err := b.end(p); err != nil {
			b.t.Error(err)
		}
		if _, err := p.Ask(b.t.Context(), a.lookup("k1")); !errors.Is(err, ErrElsewhere) {
			b.t.Errorf("a process that has stopped: %v", err)
		}
	})
}

// Questions that come faster than they are answered are told so, and keep the
// worker from nothing.
func TestAskTooMuch(t *testing.T) {
	d := newDesk()
	ctx, cancel := context.WithCancel(t.Context())
	var asks sync.WaitGroup
	refused := make(chan error, 2*mostQuestions)
	for range 2 * mostQuestions {
		asks.Go(func() {
			_, err := d.ask(ctx, state.Lookup{})
			refused <- err
		})
	}
	for range mostQuestions {
		if err := <-refused; !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
	}
	cancel()
	asks.Wait()
	close(d.closed)
	<-d.waiting // makes room
	if _, err := d.ask(t.Context(), state.Lookup{}); !errors.Is(err, ErrElsewhere) {
		t.Errorf("after the worker's end: %v", err)
	}
}

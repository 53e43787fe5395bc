package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

const (
	forgetRounds = 6
	forgetEach   = 170 // users in each round; altogether a thousand
	forgetOthers = 300 // users who are not forgotten
	forgetFlags  = 2
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: a thousand users are forgotten
// while impressions of theirs stream in, late ones too, and the process that does it
// is killed in the middle again and again. What is left in traits topic, changelog
// and state is what each of them has seen since then, and all that others have seen.
func TestRealForgetIsKilled(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	w := &forgotten{
		realWorld: newRealWorld(t, brokers), cluster: world{T: t, brokers: strings.Split(brokers, ",")}, program: buildProgram(t),
		random: rand.New(rand.NewPCG(1, 2)), sent: map[string][]sighting{}, until: map[string]int64{},
	}
	w.client = w.cluster.newClient()
	if err := w.sendAll(); err != nil {
		t.Fatal(err)
	}
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	stopWatching := w.watch()
	stopSending := w.stream()
	w.startRun()
	amid := 0
	for round := range forgetRounds {
		if w.forgetAndKill(round) {
			amid++
		}
	}
	stopSending()
	w.kill()
	stopWatching()
	if amid < forgetRounds/2 {
		t.Errorf("%d of %d kills only came while users were being forgotten", amid, forgetRounds)
	}
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	want := w.want()
	t.Logf("%d impressions; %d traits are left, %d of them of users who were forgotten", w.version, len(want), len(want)-forgetOthers*forgetFlags)
	if got := w.readTraits(); !maps.Equal(got, want) {
		t.Errorf("the traits topic has %d traits, want %d: %s", len(got), len(want), firstOther(got, want))
	}
	if got := w.readChangelog(); !maps.Equal(got, want) {
		t.Errorf("the changelog has %d traits, want %d: %s", len(got), len(want), firstOther(got, want))
	}
	succeed(t, "verify", "-c", w.config) // the state of the process too
}

// forgotten is an app that forgets users while it reads impressions of them.
type forgotten struct {
	*realWorld
	cluster world
	client  *kgo.Client
	program string
	run     *exec.Cmd
	random  *rand.Rand // of whoever sends
	version int64      // of the last impression
	sent    map[string][]sighting
	until   map[string]int64 // by user, from the receipts

	commands, tombstones atomic.Int64 // in the topics, committed or not
}

// sighting is an impression of one trait of one user. Its treatment is told by its
// version, which no other has.
type sighting struct{ at, version int64 }

func (s sighting) treatment() string { return fmt.Sprint("v", s.version) }

// sendAll sends an impression of each trait of each user.
func (w *forgotten) sendAll() error {
	var records []*kgo.Record
	for user := range forgetRounds*forgetEach + forgetOthers {
		for flag := range forgetFlags {
			records = append(records, w.record(user, flag))
		}
	}
	return w.client.ProduceSync(w.t.Context(), records...).FirstErr()
}

// record is an impression of now, or now and then one that was sent before. Most
// lie where their user's task is.
func (w *forgotten) record(user, flag int) *kgo.Record {
	id, name := fmt.Sprint("user-", user), fmt.Sprint("flag-", flag)
	key := id + " " + name
	seen := sighting{time.Now().UnixMilli(), w.version + 1}
	if before := w.sent[key]; len(before) > 0 && w.random.IntN(10) == 0 {
		seen = before[w.random.IntN(len(before))]
	} else {
		w.version++
		w.sent[key] = append(before, seen)
	}
	r := &kgo.Record{Topic: w.source, Partition: kafka.Partition([]byte(id), 6), Value: fmt.Appendf(nil,
		`{"key":%q,"split":%q,"treatment":%q,"time":%d,"splitVersionNumber":%d}`, id, name, seen.treatment(), seen.at, seen.version)}
	if w.random.IntN(10) == 0 {
		r.Partition = w.random.Int32N(6)
	}
	return r
}

// stream sends impressions of anybody, some thousand in a second, until it is
// stopped.
func (w *forgotten) stream() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	failed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				failed <- nil
				return
			case <-tick.C:
			}
			var records []*kgo.Record
			for range 50 {
				records = append(records, w.record(w.random.IntN(forgetRounds*forgetEach+forgetOthers), w.random.IntN(forgetFlags)))
			}
			if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
				failed <- err
				return
			}
		}
	}()
	return func() {
		w.t.Helper()
		cancel()
		if err := <-failed; err != nil {
			w.t.Fatal(err)
		}
	}
}

// watch counts commands and tombstones as they are written, committed or not, until
// it is stopped.
func (w *forgotten) watch() (stop func()) {
	traits, inbox := w.app+"-traits", w.app+"-inbox"
	client := w.cluster.newClient(kgo.ConsumeTopics(traits, inbox))
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				switch {
				case r.Topic == traits && r.Value == nil:
					w.tombstones.Add(1)
				case r.Topic == inbox && string(headerOf(r, "traitstream.kind")) == string(schemas.Forget):
					w.commands.Add(1)
				}
			})
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (w *forgotten) startRun() {
	w.t.Helper()
	w.run = exec.CommandContext(w.t.Context(), w.program, "run", "-c", w.config)
	if err := w.run.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *forgotten) kill() {
	w.t.Helper()
	if err := w.run.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.run.Wait() // it was killed
}

// forgetAndKill has the users of a round forgotten, kills the process when some of
// the commands, or of the tombstones, are written, and starts it again. It tells
// whether the command was still waiting when the process was gone.
func (w *forgotten) forgetAndKill(round int) (amid bool) {
	w.t.Helper()
	var users strings.Builder
	for i := range forgetEach {
		fmt.Fprintf(&users, "user-%d\n", round*forgetEach+i)
	}
	count := &w.commands
	if round%2 == 1 {
		count = &w.tombstones
	}
	enough := count.Load() + 1 + rand.Int64N(forgetEach)
	f := start(w.t, "forget", "-c", w.config, "--yes", "--timeout", "1m", "--file", write(w.t, w.t.TempDir(), "users.txt", users.String()))
	f.until("it is in the middle", func() bool { return count.Load() >= enough })
	w.kill()
	select {
	case status := <-f.done:
		f.done <- status
	default:
		amid = true
	}
	w.startRun()
	if status := f.wait(); status != exitDone {
		w.t.Fatalf("status %d: %s", status, f.stderr)
	}
	w.take(f.stdout.String())
	return amid
}

// take takes a receipt.
func (w *forgotten) take(text string) {
	w.t.Helper()
	var receipt fleet.Receipt
	if err := json.Unmarshal([]byte(text), &receipt); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	for _, u := range receipt.Users {
		until, err := time.Parse(time.RFC3339, u.RefusedUntil)
		if err != nil || len(u.Traits) != forgetFlags {
			w.t.Fatalf("the receipt of %s: %v, %v", u.ID, u, err)
		}
		w.until[u.ID] = until.UnixMilli()
	}
}

// want returns the treatments that must be left, by user and flag: the last of those
// that count.
func (w *forgotten) want() map[string]string {
	table := map[string]string{}
	for key, all := range w.sent {
		last := sighting{at: math.MinInt64}
		user, _, _ := strings.Cut(key, " ")
		until, ok := w.until[user]
		for _, s := range all {
			if (!ok || s.at > until) && (s.at > last.at || s.at == last.at && s.version > last.version) {
				last = s
			}
		}
		if last.version > 0 {
			table[key] = last.treatment()
		}
	}
	return table
}

// readTraits returns what a subscriber has of the traits topic. After a user's
// tombstones nothing that was seen before may come.
func (w *forgotten) readTraits() map[string]string {
	w.t.Helper()
	table, gone := map[string]string{}, map[string]bool{}
	w.read(w.app+"-traits", func(r *kgo.Record) error {
		var key struct{ ID, Trait string }
		if err := json.Unmarshal(r.Key, &key); err != nil {
			return err
		}
		name := key.ID + " " + key.Trait
		if r.Value == nil {
			if gone[name] || string(headerOf(r, schemas.HeaderReason)) != trait.Forgotten {
				w.t.Errorf("a tombstone of %s too many", name)
			}
			gone[name] = true
			delete(table, name)
			return nil
		}
		var value struct {
			Value  string
			SeenAt time.Time `json:"seen_at"`
		}
		if err := json.Unmarshal(r.Value, &value); err != nil {
			return err
		}
		if gone[name] && value.SeenAt.UnixMilli() <= w.until[key.ID] {
			w.t.Errorf("after %s was forgotten comes %s", name, r.Value)
		}
		table[name] = value.Value
		return nil
	})
	if len(gone) != forgetRounds*forgetEach*forgetFlags {
		w.t.Errorf("%d traits have tombstones", len(gone))
	}
	return table
}

// readChangelog returns what a process without state would restore.
func (w *forgotten) readChangelog() map[string]string {
	w.t.Helper()
	table := map[string]string{}
	w.read(w.app+"-last-seen-changelog", func(r *kgo.Record) error {
		if schemas.IsTaskKey(r.Key) {
			return nil
		}
		key, err := schemas.DecodeStateKey(r.Key)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s %s", key.User, key.Trait)
		if delete(table, name); r.Value == nil {
			return nil
		}
		var record trait.Record
		if err := schemas.DecodeRecord(r.Value, &record); err != nil {
			return err
		}
		table[name] = strings.Trim(string(record.Seen.Value), `"`)
		return nil
	})
	return table
}

// read calls fn for each committed record of a topic.
func (w *forgotten) read(topic string, fn func(*kgo.Record) error) {
	w.t.Helper()
	if err := readTopic(w.t.Context(), w.client, topic, startPoint{text: fromStart}, fn); err != nil {
		w.t.Fatal(err)
	}
}

// firstOther tells of a trait in which two tables differ.
func firstOther(got, want map[string]string) string {
	for name := range want {
		if got[name] != want[name] {
			return fmt.Sprintf("%s is %q, want %q", name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return fmt.Sprintf("%s is %q, want none", name, got[name])
		}
	}
	return ""
}

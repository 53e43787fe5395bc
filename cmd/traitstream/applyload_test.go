package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// applyLoad is an app whose definitions change while it works.
type applyLoad struct {
	*realWorld
	program string
	client  *kgo.Client
	run     *exec.Cmd
	history int // impressions
	rate    int // live ones a second
	version int

	mu        sync.Mutex
	latencies []time.Duration // of live changes
	quiet     map[string]int  // records of traits that no live impression is of, by trait
}

const (
	historyUsers = 50_000
	liveUsers    = 1000
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: definitions are added, changed and
// brought back over history and under a live load, and the process is killed in the
// middle. In the end all is as if they had been there from the start, and nothing was
// sent of traits that do not differ. Latencies are told, not judged. More of it:
//
//	TRAITSTREAM_TEST_HISTORY=5000000 TRAITSTREAM_TEST_RATE=5000 go test ./cmd/traitstream -run TestRealApply -v
func TestRealApplyUnderLoad(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	w := &applyLoad{
		realWorld: newRealWorld(t, brokers), program: buildProgram(t),
		client:  world{T: t, brokers: strings.Split(brokers, ",")}.newClient(),
		history: number(t, "TRAITSTREAM_TEST_HISTORY", 100_000), rate: number(t, "TRAITSTREAM_TEST_RATE", 1000), quiet: map[string]int{},
	}
	file, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	traits := func(text string) {
		if err := os.WriteFile(w.config, append(slices.Clone(file), "traits: "+text+"\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	traits(`[{name: "{split}"}]`)
	w.sendHistory()
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	w.startRun()
	stopWatching := w.watch()
	stopSending := w.stream()
	w.rest(2 * time.Second)
	w.told("before")
	window := w.rest(8 * time.Second)
	w.told(fmt.Sprintf("%s without", window.Round(time.Second)))

	traits(`[{name: "{split}"}, {name: "seen_{split}"}]`)
	began := time.Now()
	succeed(t, "apply", "-c", w.config, "--yes")
	w.told(fmt.Sprintf("%s of a definition more", time.Since(began).Round(time.Millisecond)))
	if plain := w.records("flag"); plain != 0 {
		t.Errorf("%d records of traits whose definition stays", plain)
	}

	traits(`[{name: "{split}", where: {treatment: [on, "off"]}}, {name: "seen_{split}"}]`)
	a := start(t, "apply", "-c", w.config, "--yes")
	a.until("it has begun", func() bool { return strings.Contains(a.stderr.String(), "is being computed from history") })
	w.kill()
	w.startRun()
	began = time.Now()
	if status := a.wait(); status != exitDone {
		t.Fatalf("apply: %s", a.stderr)
	}
	w.told(fmt.Sprintf("%s of a definition changed, with a kill", time.Since(began).Round(time.Millisecond)))
	if plain := w.records("flag"); plain != 0 {
		t.Errorf("%d records of traits that do not differ", plain)
	}

	stopSending()
	succeed(t, "definitions", "rollback", "0", "-c", w.config, "--yes")
	if removed := w.records("seen_flag"); removed != 2*historyUsers*2 { // set, and removed
		t.Errorf("%d records of seen_, want each set and removed once", removed)
	}
	w.kill()
	stopWatching()
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	succeed(t, "verify", "-c", w.config)
}

func number(t *testing.T, name string, or int) int {
	text := os.Getenv(name)
	if text == "" {
		return or
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *applyLoad) startRun() {
	w.t.Helper()
	w.run = exec.CommandContext(w.t.Context(), w.program, "run", "-c", w.config)
	if err := w.run.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *applyLoad) kill() {
	w.t.Helper()
	if err := w.run.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.run.Wait() // it was killed
}

// impression is one of now. Most lie where their user's task is.
func (w *applyLoad) impression(user, flag, treatment string, at time.Time) *kgo.Record {
	w.version++
	r := &kgo.Record{Topic: w.source, Partition: kafka.Partition([]byte(user), 6), Value: fmt.Appendf(nil,
		`{"key":%q,"split":%q,"treatment":%q,"time":%d,"splitVersionNumber":%d}`, user, flag, treatment, at.UnixMilli(), w.version)}
	if w.version%20 == 0 {
		r.Partition = int32(w.version/20) % 6
	}
	return r
}

// sendHistory sends impressions of two flags for each user, which end in on or off.
func (w *applyLoad) sendHistory() {
	w.t.Helper()
	at := time.Now().Add(-time.Minute)
	for part := range slices.Chunk(slices.Collect(upTo(w.history)), 10_000) {
		records := make([]*kgo.Record, len(part))
		for i, n := range part {
			treatment := []string{"on", "off"}[n%2]
			records[i] = w.impression(fmt.Sprint("user-", n%historyUsers), fmt.Sprint("flag-", n/historyUsers%2), treatment, at)
		}
		if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// stream sends impressions each of which changes a trait, at the rate, until it is
// stopped.
func (w *applyLoad) stream() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for range w.rate / 100 {
				treatment := []string{"on", "off"}[n/liveUsers%2]
				w.client.Produce(ctx, w.impression(fmt.Sprint("live-", n%liveUsers), "live", treatment, time.Now()), nil)
				n++
			}
		}
	}()
	return func() { cancel(); <-done; _ = w.client.Flush(w.t.Context()) }
}

// watch reads the traits topic as its records come.
func (w *applyLoad) watch() (stop func()) {
	ends, err := w.admin.ListEndOffsets(w.t.Context(), w.app+"-traits")
	if err != nil {
		w.t.Fatal(err)
	}
	cl := world{T: w.t, brokers: strings.Split(w.brokers, ",")}.newClient(
		kgo.ConsumePartitions(ends.KOffsets()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(w.saw)
		}
	}()
	return func() { cancel(); <-done }
}

func (w *applyLoad) saw(r *kgo.Record) {
	now := time.Now()
	var key struct{ Trait string }
	var value struct {
		SeenAt time.Time `json:"seen_at"`
	}
	if err := json.Unmarshal(r.Key, &key); err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if key.Trait != "live" {
		w.quiet[strings.TrimRight(key.Trait, "-01")]++
		return
	}
	if json.Unmarshal(r.Value, &value) == nil && !value.SeenAt.IsZero() {
		w.latencies = append(w.latencies, now.Sub(value.SeenAt))
	}
}

// records tells how many records there were of traits whose names begin so.
func (w *applyLoad) records(of string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quiet[of]
}

// rest lets the load go on for a while.
func (w *applyLoad) rest(d time.Duration) time.Duration {
	began := time.Now()
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
	return time.Since(began)
}

// told logs the latencies since the last time.
func (w *applyLoad) told(of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.latencies)
	n := len(w.latencies)
	if n == 0 {
		w.t.Errorf("%s: no live changes", of)
		return
	}
	at := func(part float64) string {
		return w.latencies[min(n-1, int(part*float64(n)))].Round(100 * time.Microsecond).String()
	}
	w.t.Logf("%-40s %7d changes, p50 %8s p99 %8s max %8s", of, n, at(0.5), at(0.99), at(1))
	w.latencies = w.latencies[:0]
}

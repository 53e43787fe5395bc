//go:build linux

package chaos

import (
	"context"
	"encoding/binary"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// catchUp waits, by the program's own word, until the group has done all that
// stands in the sources.
func (w *world) catchUp(ctx context.Context) {
	w.t.Helper()
	m := w.members[0]
	m.stop(ctx)
	began := time.Now()
	m.start(afterStop, "--until-caught-up")
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	select {
	case <-m.current().ended:
		w.logf("caught up after %.1f s", time.Since(began).Seconds())
	case <-limit.Done():
		w.t.Fatalf("run --until-caught-up has not ended within two minutes: %s", m.current().log)
	}
}

// untilInboxEmpty waits until the program has removed what it is done with from
// the inbox; markers of transactions may be left.
func (w *world) untilInboxEmpty(ctx context.Context) {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		left := 0
		w.read(ctx, app+"-inbox", kgo.ReadUncommitted(), func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				left++
			}
		})
		if left == 0 {
			w.logf("the inbox is empty")
			return
		}
		if time.Now().After(deadline) || !wait(ctx, time.Second) {
			w.t.Errorf("%d records are left in the inbox", left)
			return
		}
	}
}

// verify lets the program judge itself, with the state of each process.
func (w *world) verify(ctx context.Context) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, m := range w.members {
		out, err := exec.CommandContext(ctx, m.program, "verify", "-c", m.config(), "--format", "json").CombinedOutput()
		if err != nil {
			w.t.Errorf("verifying with the state of %s: %v: %.4000s", m.name, err, out)
			continue
		}
		w.logf("verified with the state of %s", m.name)
	}
}

// read calls fn for each record that stands in a topic now, markers too, one
// partition after the other.
func (w *world) read(ctx context.Context, topic string, isolation kgo.IsolationLevel, fn func(*kgo.Record)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	starts, err := w.admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		w.t.Fatalf("reading %s: %v", topic, err)
	}
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		w.t.Fatalf("reading %s: %v", topic, err)
	}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(topic, end.Partition)
		if start.Offset < end.At {
			w.readPartition(ctx, topic, end.Partition, start.Offset, end.At, isolation, fn)
		}
	}
}

func (w *world) readPartition(ctx context.Context, topic string, partition int32, start, end int64, isolation kgo.IsolationLevel, fn func(*kgo.Record)) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.brokers...), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.AlwaysRetryEOF(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(start)}}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for next := start; next < end; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("reading %s, partition %d: stuck at %d before %d: %v", topic, partition, next, end, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Offset < end {
				fn(r)
			}
		})
	}
}

// transactions counts those that have ended, by the markers that brokers have
// written: each that commits leaves one beside the group's offsets, and each
// that aborts some, with an epoch of its own since KIP-890.
func (w *world) transactions(ctx context.Context) (commits, aborts int) {
	w.t.Helper()
	type transaction struct {
		producer int64
		epoch    int16
	}
	const offsets = "__consumer_offsets"
	aborted := map[transaction]bool{}
	for _, topic := range []string{app + "-traits", app + "-last-seen-changelog", offsets} {
		w.read(ctx, topic, kgo.ReadUncommitted(), func(r *kgo.Record) {
			if !r.Attrs.IsControl() || len(r.Key) < 4 {
				return
			}
			switch kind := binary.BigEndian.Uint16(r.Key[2:]); { // after the version
			case kind == 0:
				aborted[transaction{r.ProducerID, r.ProducerEpoch}] = true
			case kind == 1 && topic == offsets:
				commits++
			}
		})
	}
	return commits, len(aborted)
}

// report prints what happened and what it cost.
func (w *world) report(ctx context.Context, f *feed, v *watch) {
	w.t.Helper()
	var each []string
	for p := range int32(tasks) {
		each = append(each, v.each[p].Round(10*time.Millisecond).String())
	}
	w.logf("%d records in, %d changes out while faults came", f.acked.Load(), v.records)
	w.logf("longest time without a committed change: %.2f s, from %.2f s on; by task: %s; the feed itself stood still for %.2f s",
		v.longest.Seconds(), v.since.Seconds(), strings.Join(each, " "), f.stood.Seconds())
	commits, aborts := w.transactions(ctx)
	w.logf("%d transactions committed, %d aborted", commits, aborts)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range []string{"kill -9", "zombies", "state folders deleted", "interrupts", "interrupts that could not commit",
		"brokers killed", "brokers paused", "network cuts", "topics grown"} {
		if n := w.counts[what]; n > 0 {
			w.logf("%s: %d", what, n)
		}
	}
	w.logf("unexpected exits: %d", w.counts["unexpected exits"])
	for _, kind := range slices.Sorted(maps.Keys(w.recoveries)) {
		all := w.recoveries[kind]
		slices.Sort(all)
		w.logf("first commit %s: %d times, median %.2f s, longest %.2f s", kind, len(all), all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
	}
}

package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"pgregory.net/rapid"
)

func TestReadPartitionGivesWhatIsCommitted(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	plain, txn := newClient(t, e.Brokers()), txnClient(t, e.Brokers(), "writer")
	topics := 0
	rapid.Check(t, func(rt *rapid.T) {
		topics++
		topic := fmt.Sprintf("topic-%d", topics)
		createTopic(t, plain, topic, 1, nil)
		committed := writeAtRandom(t, rt, plain, txn, topic)
		end := highWatermark(t, plain, topic)
		from := rapid.Int64Range(0, end).Draw(rt, "from")
		to := rapid.Int64Range(0, end).Draw(rt, "to")

		var got []int64
		err := ReadPartition(limit(t), plain, topic, 0, from, to, func(r *kgo.Record) error {
			got = append(got, r.Offset)
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		want := slices.DeleteFunc(committed, func(o int64) bool { return o < from || o >= to })
		if !slices.Equal(got, want) {
			rt.Fatalf("from %d to %d of %d: got %v, want %v", from, to, end, got, want)
		}
	})
}

// writeAtRandom returns the offsets of the committed records.
func writeAtRandom(t *testing.T, rt *rapid.T, plain, txn *kgo.Client, topic string) (committed []int64) {
	write := func(cl *kgo.Client, n int) (offsets []int64) {
		var records []*kgo.Record
		for range n {
			records = append(records, record(topic, "v"))
		}
		for _, r := range cl.ProduceSync(limit(t), records...) {
			if r.Err != nil {
				rt.Fatal(r.Err)
			}
			offsets = append(offsets, r.Record.Offset)
		}
		return offsets
	}
	for range rapid.IntRange(0, 6).Draw(rt, "steps") {
		n := rapid.IntRange(1, 4).Draw(rt, "records")
		switch rapid.SampledFrom([]string{"plain", "commit", "abort"}).Draw(rt, "step") {
		case "plain":
			committed = append(committed, write(plain, n)...)
		case "commit":
			committed = append(committed, write(txn, n)...)
			transact(t, txn, kgo.TryCommit, topic)
		case "abort":
			write(txn, n)
			transact(t, txn, kgo.TryAbort, topic)
		}
	}
	return committed
}

func TestReadPartitionWaitsForAnOpenTransaction(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	for end, want := range map[kgo.TransactionEndTry][]string{
		kgo.TryCommit: {"before", "open", "after"},
		kgo.TryAbort:  {"before", "after"},
	} {
		t.Run(fmt.Sprintf("commit=%v", end), func(t *testing.T) {
			topic := fmt.Sprintf("open-%v", end)
			createTopic(t, cl, topic, 1, nil)
			txn := txnClient(t, e.Brokers(), topic)
			produce(t, cl, topic, "before")
			produce(t, txn, topic, "open")
			produce(t, cl, topic, "after")
			to := highWatermark(t, cl, topic)

			first, done := make(chan struct{}), make(chan error, 1)
			var got []string
			go func() {
				done <- ReadPartition(limit(t), cl, topic, 0, 0, to, func(r *kgo.Record) error {
					if got = append(got, string(r.Value)); len(got) == 1 {
						close(first)
					}
					return nil
				})
			}()
			<-first
			select {
			case err := <-done:
				t.Fatalf("did not wait: %q, %v", got, err)
			default:
			}
			if err := txn.EndTransaction(limit(t), end); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestReadPartitionCrossesCompactedGaps(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "compacted", 1, map[string]string{"cleanup.policy": "compact"})
	produce(t, cl, "compacted", "first", "a", "b", "a", "a", "b", "c")
	e.cluster.Compact()
	if got := readValues(t, cl, "compacted", 0, 7); !slices.Equal(got, []string{"first", "a", "b", "c"}) {
		t.Errorf("all: %q", got)
	}
	if got := readValues(t, cl, "compacted", 2, 5); !slices.Equal(got, []string{"a"}) {
		t.Errorf("from a gap: %q", got)
	}
	if got := readValues(t, cl, "compacted", 1, 4); got != nil {
		t.Errorf("within a gap: %q", got)
	}
}

func TestReadPartitionOutOfRange(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "short", 1, nil)
	produce(t, cl, "short", "a", "b", "c")
	deleteRecords(t, cl, "short", 2)
	for name, r := range map[string]struct{ from, to, offset int64 }{
		"before the start": {0, 3, 0},
		"after the end":    {7, 9, 7},
		"to after the end": {2, 9, 9},
	} {
		t.Run(name, func(t *testing.T) {
			reader := newReader(cl, "short", 0)
			reader.wait = time.Millisecond
			err := reader.read(limit(t), r.from, r.to, func(*kgo.Record) error { return nil })
			var got *OutOfRangeError
			if !errors.As(err, &got) {
				t.Fatal(err)
			}
			if want := (OutOfRangeError{"short", 0, r.offset, 2, 3}); *got != want {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		})
	}
}

func TestReadPartitionFollowsTheLeader(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "moving"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cl := newClient(t, cluster.ListenAddrs())
	txn := txnClient(t, cluster.ListenAddrs(), "writer")
	produce(t, cl, "moving", "a")
	produce(t, txn, "moving", "b")
	var got []string
	// The first fetch ends before the open transaction, so the second one meets
	// the new leader.
	err = ReadPartition(limit(t), cl, "moving", 0, 0, 3, func(r *kgo.Record) error {
		if got = append(got, string(r.Value)); len(got) > 1 {
			return nil
		}
		next := (cluster.LeaderFor("moving", 0) + 1) % 3
		return errors.Join(txn.EndTransaction(limit(t), kgo.TryCommit), cluster.MoveTopicPartition("moving", 0, next))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

func TestReadPartitionOfAnOldBroker(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "old"), kfake.MaxVersions(kversion.V2_5_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cl := newClient(t, cluster.ListenAddrs())
	if err := Connect(limit(t), cl); err != nil {
		t.Error(err)
	}
	produce(t, cl, "old", "a", "b")
	if got := readValues(t, cl, "old", 0, 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

func TestReadPartitionRefusesARecreatedTopic(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "again", 1, nil)
	produce(t, cl, "again", "a")
	produce(t, txnClient(t, e.Brokers(), "writer"), "again", "open")
	err := ReadPartition(limit(t), cl, "again", 0, 0, 2, func(*kgo.Record) error {
		if _, err := kadm.NewClient(cl).DeleteTopic(limit(t), "again"); err != nil {
			return err
		}
		createTopic(t, cl, "again", 1, nil)
		produce(t, newClient(t, e.Brokers()), "again", "x", "y")
		return nil
	})
	if !errors.Is(err, errRecreated) {
		t.Errorf("got %v", err)
	}
}

func TestReadPartitionTakesALargeBatch(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers(), kgo.ProducerBatchMaxBytes(8<<20))
	createTopic(t, cl, "large", 1, map[string]string{"max.message.bytes": "8000000"})
	noise := make([]byte, fetchBytes+1)
	for i := range noise {
		noise[i] = byte(rand.Uint32()) // compression must not make it small
	}
	if err := cl.ProduceSync(limit(t), &kgo.Record{Topic: "large", Value: noise}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "large", "small")
	var sizes []int
	err := ReadPartition(limit(t), cl, "large", 0, 0, 2, func(r *kgo.Record) error {
		sizes = append(sizes, len(r.Value))
		return nil
	})
	if err != nil || !slices.Equal(sizes, []int{len(noise), 5}) {
		t.Errorf("sizes %v, %v", sizes, err)
	}
}

// What was aborted is left out also where it takes several answers.
func TestReadPartitionLeavesOutALargeAbort(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "aborted", 1, nil)
	txn := txnClient(t, e.Brokers(), "writer", kgo.ProducerBatchCompression(kgo.NoCompression()))
	large := make([]string, 24)
	for i := range large {
		large[i] = strings.Repeat("x", 400_000)
	}
	produce(t, txn, "aborted", large...)
	if err := txn.EndTransaction(limit(t), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "aborted", "after")
	if got := readValues(t, cl, "aborted", 0, highWatermark(t, cl, "aborted")); !slices.Equal(got, []string{"after"}) {
		t.Errorf("%d records, want that after the abort", len(got))
	}
}

func TestReadPartitionPassesErrorsOn(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "errors", 1, nil)
	produce(t, cl, "errors", "a")
	produce(t, txnClient(t, e.Brokers(), "writer"), "errors", "open")

	mine := errors.New("mine")
	if err := ReadPartition(limit(t), cl, "errors", 0, 0, 2, func(*kgo.Record) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("of fn: %v", err)
	}
	ctx, cancel := context.WithCancel(limit(t))
	err := ReadPartition(ctx, cl, "errors", 0, 0, 2, func(*kgo.Record) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("of the context: %v", err)
	}
}

// The next answer is fetched while fn works on the present one, and no further
// one before that is handed over. Whatever ends the read, no goroutine is left.
func TestReadPartitionFetchesAhead(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "ahead", 1, map[string]string{"max.message.bytes": "8000000"})
	noise := make([]byte, fetchBytes*3/4)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	const answers = 5
	big := newClient(t, e.Brokers(), kgo.ProducerBatchMaxBytes(8<<20))
	for range answers {
		if err := big.ProduceSync(limit(t), &kgo.Record{Topic: "ahead", Value: noise}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	fetches := make(chan struct{}, 100)
	e.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		e.cluster.KeepControl()
		fetches <- struct{}{}
		return nil, nil, false
	})
	read, given := 0, 0
	err := ReadPartition(limit(t), cl, "ahead", 0, 0, answers, func(*kgo.Record) error {
		for given++; read < min(given+1, answers); read++ {
			<-fetches
		}
		if len(fetches) > 0 {
			t.Errorf("%d fetches for record %d", read+len(fetches), given)
		}
		return nil
	})
	if err != nil || given != answers {
		t.Errorf("%d records, %v", given, err)
	}
	mine := errors.New("mine")
	if err := ReadPartition(limit(t), cl, "ahead", 0, 0, answers, func(*kgo.Record) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stacks.String(), "fetchAll") {
		t.Error("a fetch goes on")
	}
}

// lostDials tells of failed connections.
type lostDials struct {
	once sync.Once
	lost chan struct{}
}

func (l *lostDials) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		l.once.Do(func() { close(l.lost) })
	}
}

func TestWaitsForABrokerThatIsAway(t *testing.T) {
	for name, call := range map[string]func(context.Context, *kgo.Client) (string, error){
		"ReadPartition": func(ctx context.Context, cl *kgo.Client) (string, error) {
			var read strings.Builder
			err := ReadPartition(ctx, cl, "away", 0, 0, 2, func(r *kgo.Record) error {
				read.Write(r.Value)
				return nil
			})
			return read.String(), err
		},
		"StableOffsets": func(ctx context.Context, cl *kgo.Client) (string, error) {
			offsets, err := StableOffsets(ctx, cl, "group", map[string][]int32{"away": {0}})
			return fmt.Sprint(offsets), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := startBroker(t, EmbeddedOptions{Dir: dir})
			address := e.Brokers()[0]
			dials := &lostDials{lost: make(chan struct{})}
			cl := newClient(t, e.Brokers(), kgo.WithHooks(dials))
			createTopic(t, cl, "away", 1, nil)
			produce(t, cl, "away", "a", "b")
			commitOffset(t, cl, "group", "away", 2)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			var got string
			done := make(chan error, 1)
			go func() {
				var err error
				got, err = call(limit(t), cl)
				done <- err
			}()
			<-dials.lost
			startBroker(t, EmbeddedOptions{Dir: dir, Listen: address})
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if want := map[string]string{"ReadPartition": "ab", "StableOffsets": "map[away:map[0:2]]"}[name]; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// BenchmarkReadPartition reads 100,000 records of 200 bytes.
func BenchmarkReadPartition(b *testing.B) {
	const records = 100_000
	e, err := StartEmbedded(EmbeddedOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.Brokers()...))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	ctx := context.Background()
	if err := CreateTopics(ctx, cl, -1, Topic{Name: "bench", Partitions: 1}); err != nil {
		b.Fatal(err)
	}
	value := bytes.Repeat([]byte("01234567"), 25)
	for range records {
		cl.Produce(ctx, &kgo.Record{Topic: "bench", Value: value}, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(records * 200)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := ReadPartition(ctx, cl, "bench", 0, 0, records, func(*kgo.Record) error { n++; return nil })
		if err != nil || n != records {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// A read of a few records does not take what lies behind them.
func TestReadPartitionTakesWhatItNeeds(t *testing.T) {
	for left, want := range map[int64]int32{1: leastFetch + recordRoom, 100: leastFetch + 100*recordRoom, 1 << 40: fetchBytes} {
		if got := newReader(nil, "t", 0).request(7, 7+left).Topics[0].Partitions[0].PartitionMaxBytes; got != want {
			t.Errorf("for %d records it takes %d bytes, want %d", left, got, want)
		}
	}
}

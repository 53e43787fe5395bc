package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/plugin/kprom"

	"traitstream/kafka"
	"traitstream/processor/group"
)

const (
	// transactionTimeout is what a dead worker may hold back the readers of its
	// last transaction; the broker looks for expired ones each 10 s.
	transactionTimeout = 10 * time.Second
	// endTimeout bounds the end of a transaction; after it the clients are made
	// again. The broker has then aborted what was open.
	endTimeout      = transactionTimeout
	fetchBytes      = 16 << 20
	fetchPartition  = 512 << 10
	bufferedRecords = 50_000
	// fetchWait is how long a fetch without records stays open, and so how long
	// a task that has been restored may wait for a fetch that includes it.
	fetchWait = 200 * time.Millisecond
	// heartbeat is how often a member hears what the group does. A task that
	// moves rests from its revoke until the one that gets it has heard of that.
	heartbeat = 500 * time.Millisecond
)

// seat is a worker's place in the group and its transactional producer, a client
// each: the producer's transaction takes the offsets from the worker's own
// record of what it has merged (ledger), so neither a rebalance nor what has
// been fetched meanwhile aborts it.
type seat struct {
	consumer *kgo.Client
	producer *kgo.Client
	ledger   *ledger
	starts   *starts
	cut      context.CancelFunc // ends what the consumer still waits for
	closing  atomic.Bool        // the client gives up its tasks, but the group keeps them for the seat
}

// newSeat takes a worker's seat in the group. The producer comes first: what a
// dead process has left open in this seat is aborted before the group gives it
// tasks, whose readers and restores would wait for its timeout.
func newSeat(ctx context.Context, w *worker) (_ *seat, err error) {
	s := &seat{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	version, err := kafka.TransactionVersion(ctx, w.o.Client)
	if err != nil {
		return nil, fmt.Errorf("asking for the cluster's features: %w", err)
	}
	implicit := version >= implicitTransactionVersion
	if s.producer, err = kgo.NewClient(w.producerOptions(implicit)...); err != nil {
		return nil, fmt.Errorf("setting up the producer: %w", err)
	}
	if _, _, err := s.producer.ProducerID(ctx); err != nil {
		return nil, fmt.Errorf("taking the transactional id %s: %w", w.transactionalID(), err)
	}
	s.ledger = &ledger{
		group: w.o.Config.Group(), instance: &w.seatName, txnID: w.transactionalID(),
		producer: s.producer, joined: make(chan struct{}), implicit: implicit, notes: map[partition]string{},
	}
	if s.starts, err = w.beginStarts(ctx, s.ledger); err != nil {
		return nil, err
	}
	ctx, s.cut = context.WithCancel(context.WithoutCancel(ctx))
	if s.consumer, err = kgo.NewClient(append(w.consumerOptions(s), kgo.WithContext(ctx))...); err != nil {
		return nil, fmt.Errorf("joining group %s: %w", w.o.Config.Group(), err)
	}
	s.ledger.consumer = s.consumer
	close(s.ledger.joined)
	return s, nil
}

// beginStarts notes the topics as they are before the consumer looks at them. It
// keeps to what it sees first, also of a topic that it comes to read much later.
func (w *worker) beginStarts(ctx context.Context, l *ledger) (*starts, error) {
	ids, _, err := w.o.TopicIDs(ctx)
	if err != nil {
		return nil, err
	}
	s := newStarts(w.o, l)
	for topic, id := range ids {
		s.hasBegun(topic, id)
	}
	return s, nil
}

// transactionalID names the seat's producer.
func (w *worker) transactionalID() string { return w.o.transactionalID(w.seatName) }

func (o *Options) transactionalID(seat string) string { return o.Config.App + "-" + seat }

func (w *worker) producerOptions(implicit bool) []kgo.Opt {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.OffsetCommit.Int16(), offsetCommitVersion)
	versions.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), txnOffsetCommitVersion)
	if implicit {
		versions.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), txnOffsetCommitImplicitVersion)
	}
	return append(slices.Clone(w.o.Connect),
		kgo.WithHooks(w.clientMetrics("producer")),
		kgo.MaxVersions(versions),
		kgo.TransactionalID(w.transactionalID()),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.MetadataMaxAge(time.Minute),
		kgo.MetadataMinAge(100*time.Millisecond), // the default of 5 s is a pause at each new topic
		kgo.ConcurrentTransactionsBackoff(concurrentBackoff),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(w.out.limit),
		kgo.WithCompressor(kafka.NewCompressor()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(bufferedRecords),
	)
}

func (w *worker) consumerOptions(s *seat) []kgo.Opt {
	starts := s.starts
	session := w.o.Config.Processor.SessionTimeout
	return append(slices.Clone(w.o.Connect),
		kgo.WithHooks(w.clientMetrics("consumer")),
		kgo.ConsumerGroup(w.o.Config.Group()),
		kgo.ConsumeTopics(w.o.InputTopics()...),
		kgo.InstanceID(w.seatName),
		kgo.Balancers(group.Balancer{Tasks: w.o.Topics.Tasks, Member: w.member()}),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(heartbeat),
		kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(ctx context.Context, cl *kgo.Client, partitions map[string][]int32) {
			starts.ledger.assigned(cl)
			starts.ledger.comes(partitions)
			w.tell("tasks have come", partitions)
			w.tasks.assigned(ctx, cl, partitions)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, partitions map[string][]int32) {
			if !s.closing.Load() {
				w.tell("tasks have gone", partitions)
			}
			w.tasks.revoked(ctx, cl, partitions)
		}),
		kgo.OnPartitionsLost(func(ctx context.Context, cl *kgo.Client, partitions map[string][]int32) {
			w.tell("tasks are lost", partitions)
			w.tasks.revoked(ctx, cl, partitions)
			starts.ledger.lost()
		}),
		kgo.OnOffsetsFetched(starts.fetched),
		kgo.AdjustFetchOffsetsFn(starts.adjust),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.MetadataMaxAge(time.Minute),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartition),
		kgo.WithDecompressor(kafka.NewDecompressor()),
	)
}

// tell logs which tasks a rebalance has moved.
func (w *worker) tell(what string, partitions map[string][]int32) {
	if numbers := slices.Sorted(slices.Values(partitions[w.o.Topics.Inbox.Name])); len(numbers) > 0 {
		w.o.Log.Info(what, "worker", w.number, "tasks", strings.Trim(fmt.Sprint(numbers), "[]"))
	}
}

// member is what others see of the worker.
func (w *worker) member() group.Member {
	return group.Member{Process: w.o.Instance.Name, Run: w.o.Instance.run, Worker: w.number, HTTP: w.o.HTTP}
}

// clientMetrics are a client's own, which go with it.
func (w *worker) clientMetrics(client string) *kprom.Metrics {
	labels := prometheus.Labels{"worker": strconv.Itoa(w.number), "client": client}
	return kprom.NewMetrics("traitstream_kafka", kprom.Registerer(prometheus.WrapRegistererWith(labels, w.o.Metrics.registry)))
}

// poll adds to a batch what has been fetched; nothing when ctx ends first.
func (s *seat) poll(ctx context.Context, b *batch, limit int) error {
	fetches := s.consumer.PollRecords(ctx, limit)
	var errs []error
	fetches.EachError(func(topic string, partition int32, err error) {
		if err := s.fetchError(ctx, topic, partition, err); err != nil {
			errs = append(errs, err)
		}
	})
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	fetches.EachPartition(b.add)
	return nil
}

// fetchError decides about an error of a fetch: nil means go on.
func (s *seat) fetchError(ctx context.Context, topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.As(err, &loss): // the client has gone there by itself
		s.starts.o.Log.Warn("the topic has lost its end; going on where it parts from what was read",
			"topic", topic, "partition", partition, "read", loss.ConsumedTo, "from", loss.ResetTo)
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange):
		// Not within ctx: the poll's wait may be over, or ended for a restored task.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		return s.starts.goOn(ctx, topic, partition)
	case kerr.IsRetriable(err):
		if errors.As(err, &session) {
			s.starts.o.Log.Warn("the group's assignment can't be taken now; the client asks for it again", "cause", session.Err)
		}
		return nil
	case errors.As(err, &session):
		return fmt.Errorf("group %s: %w", s.ledger.group, err)
	}
	return fmt.Errorf("reading %s, partition %d: %w", topic, partition, err)
}

// begin begins a transaction; the broker hears of it with its first record.
func (s *seat) begin() error {
	if err := s.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	return nil
}

// produce hands the records over to the producer.
func (s *seat) produce(ctx context.Context, records []*kgo.Record, done func(*kgo.Record, error)) {
	for _, r := range records {
		s.producer.Produce(ctx, r, done)
	}
}

// flush waits until the brokers have answered for every record.
func (s *seat) flush(ctx context.Context) error {
	if err := s.producer.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for the brokers to take a transaction's records: %w", err)
	}
	return nil
}

// end ends the transaction. After an error it is not known how it ended; a new
// seat finds out.
func (s *seat) end(ctx context.Context, how kgo.TransactionEndTry) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := s.producer.EndTransaction(ctx, how); err != nil {
		return fmt.Errorf("ending the transaction: %w", err)
	}
	return nil
}

// blockRebalance holds rebalances up as a poll does that returns something. It is
// true when it could.
func (s *seat) blockRebalance() bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.consumer.PollRecords(ctx, 1).NumRecords() == 0
}

// allowRebalance lets a rebalance go on that has waited since the last poll.
func (s *seat) allowRebalance() { s.consumer.AllowRebalance() }

// closePatience is how long a close waits for a rebalance that is under way,
// which may itself be waiting for others that have stopped.
const closePatience = 500 * time.Millisecond

// close closes the connections but does not leave the group: the seat stays
// ours until the session times out.
func (s *seat) close() {
	if s.consumer != nil {
		s.closing.Store(true)
		late := time.AfterFunc(closePatience, s.cut)
		s.consumer.CloseAllowingRebalance()
		late.Stop()
		s.cut()
	}
	if s.producer != nil {
		s.producer.Close()
	}
}

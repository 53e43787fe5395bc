package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/plugin/kprom"

	"traitstream/kafka"
	"traitstream/processor/group"
)

const (
	// transactionTimeout is what a dead instance may hold back the readers of
	// its last transaction; the broker looks for expired ones each 10 s.
	transactionTimeout = 10 * time.Second
	// endTimeout bounds the end of a transaction; after it the client is made
	// again. The broker has then aborted what was open.
	endTimeout      = transactionTimeout
	fetchBytes      = 16 << 20
	fetchPartition  = 2 << 20
	bufferedRecords = 50_000
	// fetchWait is how long a fetch without records stays open, and so how long
	// a task that has been restored may wait for a fetch that includes it.
	fetchWait = 200 * time.Millisecond
)

// seat is a worker's place in the group, with its transactional producer. It
// hides franz-go's GroupTransactSession, which has these ways: it commits the
// offsets of all that was polled since begin, it commits although a record
// failed to be produced, and after any revoke it aborts the next transaction,
// even one that began later. So one transaction covers what was polled, produce
// waits for every record, and an aborted batch is simply read again.
type seat struct {
	session *kgo.GroupTransactSession
	starts  *starts
}

// newSeat joins the group. What a dead process has left open in this seat is
// aborted first: every reader, and the restore, would wait for its timeout.
func newSeat(ctx context.Context, o *Options, t *tasks, out *outbox) (*seat, error) {
	if err := fence(ctx, o); err != nil {
		return nil, err
	}
	starts := &starts{o: o, joined: make(chan struct{})}
	client := kprom.NewMetrics("traitstream_kafka", kprom.Registerer(o.Metrics.registry)) // gone with the client
	opts := append([]kgo.Opt{}, o.Connect...)
	opts = append(opts,
		kgo.WithHooks(client),
		kgo.ConsumerGroup(o.Config.Group()),
		kgo.ConsumeTopics(o.inputs()...),
		kgo.InstanceID(o.Instance),
		kgo.TransactionalID(o.transactionalID()),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.Balancers(group.Balancer{Tasks: o.Topics.Tasks}),
		kgo.SessionTimeout(o.Config.Processor.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, o.Config.Processor.SessionTimeout/4)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(t.assigned),
		kgo.OnPartitionsRevoked(t.revoked),
		kgo.OnPartitionsLost(t.revoked),
		kgo.AdjustFetchOffsetsFn(starts.adjust),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.MetadataMaxAge(time.Minute),
		kgo.MetadataMinAge(100*time.Millisecond), // the default of 5 s is a pause at each new topic
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartition),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(out.limit),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(bufferedRecords),
	)
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return nil, fmt.Errorf("joining group %s: %w", o.Config.Group(), err)
	}
	starts.client = s.Client()
	close(starts.joined)
	return &seat{session: s, starts: starts}, nil
}

// transactionalID names the seat's producer.
func (o *Options) transactionalID() string { return o.Config.App + "-" + o.Instance }

// fence shuts out any other producer of this seat (KIP-98's InitProducerId) and
// waits until its open transaction is aborted.
func fence(ctx context.Context, o *Options) error {
	id := o.transactionalID()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(transactionTimeout.Milliseconds())
	for {
		resp, err := req.RequestWith(ctx, o.Client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) || !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("fencing the transactional id %s: %w", id, kafka.Explain(err))
		}
	}
}

// inputs are the topics of a task: the sources and the inbox.
func (o *Options) inputs() []string {
	topics := []string{o.Topics.Inbox.Name}
	for _, s := range o.Config.Sources {
		topics = append(topics, s.Topic)
	}
	return topics
}

// poll returns what has been fetched; nothing when ctx ends first.
func (s *seat) poll(ctx context.Context, limit int) ([]*kgo.Record, error) {
	fetches := s.session.PollRecords(ctx, limit)
	var errs []error
	fetches.EachError(func(topic string, partition int32, err error) {
		if err := s.fetchError(ctx, topic, partition, err); err != nil {
			errs = append(errs, err)
		}
	})
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return fetches.Records(), nil
}

// fetchError decides about an error of a fetch: nil means go on.
func (s *seat) fetchError(ctx context.Context, topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &loss):
		// Not within ctx: the poll's wait may be over, or ended for a restored task.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		return s.starts.goOn(ctx, topic, partition)
	case kerr.IsRetriable(err):
		return nil
	}
	return fmt.Errorf("reading %s, partition %d: %w", topic, partition, err)
}

func (s *seat) begin() error {
	if err := s.session.Begin(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	return nil
}

// settle takes the session past a revoke: it would abort the next transaction,
// and not tell of another revoke before that. An empty one does.
func (s *seat) settle(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	_, err := s.end(ctx, kgo.TryAbort)
	return err
}

// produce sends the records and waits until the brokers have them all.
func (s *seat) produce(ctx context.Context, records []*kgo.Record, done func(*kgo.Record, error)) error {
	for _, r := range records {
		s.session.Produce(ctx, r, done)
	}
	if err := s.session.Client().Flush(ctx); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	return nil
}

// end ends the transaction and returns whether it committed. An abort rewinds
// to the committed offsets. There is a limit to it: when a heartbeat has found
// that the group has expelled this member (a process that was stopped for a
// while), the session waits here for a heartbeat, and its heartbeats wait for
// the rebalance that is blocked until end returns.
func (s *seat) end(ctx context.Context, try kgo.TransactionEndTry) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	return s.session.End(ctx, try)
}

func (s *seat) allowRebalance() { s.session.AllowRebalance() }

// close leaves the connection, not the group: the seat stays ours until the
// session times out.
func (s *seat) close() { s.session.CloseAllowingRebalance() }

// retriable tells whether a new client in the old seat may mend an error. A
// seat that somebody else has taken is not: two would fence each other for
// ever.
func retriable(err error) bool {
	var ke *kerr.Error
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		return false
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch),
		errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.RebalanceInProgress),
		errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.TransactionAbortable),
		errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.OutOfOrderSequenceNumber),
		errors.Is(err, errRelearned), errors.Is(err, errRecreated):
		return true
	case errors.As(err, &ke):
		return ke.Retriable
	}
	return errors.Is(err, kgo.ErrRecordTimeout) || errors.Is(err, kgo.ErrRecordRetries) || isNetwork(err)
}

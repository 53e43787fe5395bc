package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/schemas"
)

// partition names a partition of a topic.
type partition struct {
	topic  string
	number int32
}

// span is what has been read of a partition: all before next.
type span struct {
	partition
	next kgo.EpochOffset
}

// ledger commits the offsets of a seat, within a transaction or alone, under
// the group's generation: a worker that the group has expelled is refused
// (KIP-447). It sends what the batch has merged, so what the client has
// fetched since then does not matter.
type ledger struct {
	group    string
	instance *string
	txnID    string
	producer *kgo.Client
	consumer *kgo.Client
	joined   chan struct{} // closed when there is a consumer: it may call back before it is returned
	implicit bool          // the offsets themselves add the group to a transaction

	mu     sync.Mutex
	notes  map[partition]string
	marks  map[partition]schemas.Mark    // in the notes that mark has written
	places map[partition]kgo.EpochOffset // what is committed, of partitions that have come since
	member string                        // under which the group gave out the partitions that are here
}

// The versions of requests that name topics, not their ids. The offsets of a
// transaction add their group to it from version 5 on, which is only for clusters
// with transactions of version 2 (KIP-890), and without which the client does not
// use these: then each transaction has one round trip more for the partitions,
// and one for the group.
const (
	offsetCommitVersion            = 9
	txnOffsetCommitVersion         = 4
	txnOffsetCommitImplicitVersion = 5
	implicitTransactionVersion     = 2
)

// note keeps what goes beside each offset of a partition.
func (l *ledger) note(p partition, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes[p] = text
	delete(l.marks, p)
}

// keep notes a partition that the seat does not read and whose offset it commits.
func (l *ledger) keep(p partition, note schemas.OffsetNote) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.notes[p]; !ok {
		note.Owner = l.txnID
		l.notes[p] = note.String()
	}
}

// mark sets the mark in a partition's note.
func (l *ledger) mark(p partition, m schemas.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.marks[p]; ok && before == m {
		return
	}
	if note, ok := schemas.ParseOffsetNote(l.notes[p]); ok && note.Mark != m {
		note.Mark = m
		l.notes[p] = note.String()
	}
	if l.marks == nil {
		l.marks = map[partition]schemas.Mark{}
	}
	l.marks[p] = m
}

// markedNow returns the mark that was written since the partition has come.
func (l *ledger) markedNow(p partition) (schemas.Mark, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok := l.marks[p]
	return m, ok
}

// comes forgets the marks of partitions that come: others may have set theirs.
func (l *ledger) comes(partitions map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, numbers := range partitions {
		for _, number := range numbers {
			delete(l.marks, partition{topic, number})
			delete(l.places, partition{topic, number})
		}
	}
}

// stands notes what is committed of partitions.
func (l *ledger) stands(spans []span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places == nil {
		l.places = map[partition]kgo.EpochOffset{}
	}
	for _, s := range spans {
		l.places[s.partition] = s.next
	}
}

// place returns what is committed of a partition, if that is known since it has come.
func (l *ledger) place(p partition) (kgo.EpochOffset, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.places[p]
	return at, ok
}

// noteOf returns it as the requests want it.
func (l *ledger) noteOf(p partition) *string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.notes[p]
	return &text
}

// assigned keeps the membership under which partitions come, where none are here.
// A member that is forgotten while it joins goes on under another one, with what
// it had, though others may have had it meanwhile: nothing of that counts.
func (l *ledger) assigned(cl *kgo.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.member == "" {
		l.member, _ = cl.GroupMetadata()
	}
}

// lost forgets the membership with all of its partitions.
func (l *ledger) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.member = ""
}

func (l *ledger) membership() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member
}

// groupPatience is how long a commit waits for the client to hear of a rebalance
// that the group's coordinator has begun or ended.
const groupPatience = time.Second

// attempt sends a commit until the group takes or refuses it. When the group has
// gone on to a new generation with this member in it, the client is about to
// hear of it; no task can be gone meanwhile, since the rebalance that gives it
// away waits for the batch.
func (l *ledger) attempt(ctx context.Context, send func(member string, generation int32) error) error {
	<-l.joined
	own := l.membership()
	for deadline := time.Now().Add(groupPatience); ; {
		member, generation := l.consumer.GroupMetadata()
		err := error(kerr.UnknownMemberID)
		if member == own {
			err = send(member, generation)
		}
		if err == nil {
			return nil
		}
		if now, _ := l.consumer.GroupMetadata(); now != own && errors.Is(err, kerr.FencedInstanceID) {
			err = kerr.UnknownMemberID // by the client itself, which was expelled and joins anew
		}
		passing := errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress)
		if !passing || time.Now().After(deadline) || !sleep(ctx, 5*time.Millisecond) {
			return fmt.Errorf("committing offsets of group %s: %w", l.group, err)
		}
	}
}

// commit commits offsets outside of a transaction.
func (l *ledger) commit(ctx context.Context, spans []span) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.InstanceID = l.group, l.instance
	for topic, spans := range byTopic(spans) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for _, s := range spans {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = s.number, s.next.Offset, s.next.Epoch, l.noteOf(s.partition)
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return l.attempt(ctx, func(member string, generation int32) error {
		req.MemberID, req.Generation = member, generation
		resp, err := req.RequestWith(ctx, l.producer)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, kerr.ErrorForCode(p.ErrorCode))
				}
			}
		}
		l.stands(spans)
		return nil
	})
}

// commitInTransaction makes offsets a part of the producer's open transaction.
func (l *ledger) commitInTransaction(ctx context.Context, spans []span) error {
	id, epoch, err := l.producer.ProducerID(ctx)
	if err == nil && !l.implicit {
		err = l.addToTransaction(ctx, id, epoch)
	}
	if err != nil {
		return fmt.Errorf("adding the group to the transaction: %w", err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = l.txnID, id, epoch
	req.Group, req.InstanceID = l.group, l.instance
	for topic, spans := range byTopic(spans) {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for _, s := range spans {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = s.number, s.next.Offset, s.next.Epoch, l.noteOf(s.partition)
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return l.attempt(ctx, func(member string, generation int32) error {
		req.MemberID, req.Generation = member, generation
		err := whileConcurrent(ctx, func() error { return l.sendInTransaction(ctx, req) })
		if err == nil {
			l.stands(spans) // an abort after that ends the seat
		}
		return err
	})
}

func (l *ledger) sendInTransaction(ctx context.Context, req *kmsg.TxnOffsetCommitRequest) error {
	resp, err := req.RequestWith(ctx, l.producer)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	}
	return nil
}

func byTopic(spans []span) map[string][]span {
	topics := map[string][]span{}
	for _, s := range spans {
		topics[s.topic] = append(topics[s.topic], s)
	}
	return topics
}

// addToTransaction tells the transaction's coordinator about the group, whose
// offsets would outlive an abort without.
func (l *ledger) addToTransaction(ctx context.Context, id int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = l.txnID, id, epoch, l.group
	return whileConcurrent(ctx, func() error {
		resp, err := req.RequestWith(ctx, l.producer)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

// concurrentBackoff is how soon the transaction's coordinator is asked again
// that is still writing the markers of the transaction before.
const concurrentBackoff = 10 * time.Millisecond

// whileConcurrent repeats a request that meets CONCURRENT_TRANSACTIONS.
func whileConcurrent(ctx context.Context, request func() error) error {
	for {
		err := request()
		if !errors.Is(err, kerr.ConcurrentTransactions) || !sleep(ctx, concurrentBackoff) {
			return err
		}
	}
}

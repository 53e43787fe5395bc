package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

const (
	batchLetters = 500
	batchBytes   = 4 << 20
	// transactionTimeout is how long the sources' readers wait at most for a
	// transaction that was left open.
	transactionTimeout = 10 * time.Second
	// endPatience is how long a transaction may take to end after the command was
	// told to stop.
	endPatience = 20 * time.Second
)

// Replay puts letters back into their sources. Its fields are set before Run.
type Replay struct {
	Client  *kgo.Client // reads
	Connect []kgo.Opt   // how it was reached
	App     string
	Topics  *kafka.Topics // all are there but, on a dry run, the control topic
	// Reader reads the dead letters.
	Reader *Reader
	// Wanted picks letters; those of which it is false are not told of.
	Wanted func(*Letter) bool
	Limit  int64 // how many are put back at most; 0: all
	// Returned puts letters back too whose record was put back before and refused
	// again.
	Returned bool
	// DryRun decides and tells, but writes nothing and shuts nobody out.
	DryRun bool
	// Tell is told of each letter what became of it, once that is certain. An
	// error ends the replay.
	Tell func(*Letter, Outcome) error

	producer *kgo.Client
	marks    *Marks
	batch    batch
	n        int64 // put back, the open batch included
}

// Run puts back what the topic of dead letters holds now. After an error, run it
// again: what was put back stays so.
func (r *Replay) Run(ctx context.Context) error {
	if !r.DryRun {
		if err := r.begin(ctx); err != nil {
			return err
		}
		defer r.producer.Close()
	}
	var err error
	if r.marks, err = ReadMarks(ctx, r.Client, r.Topics.Control, r.Topics.DeadLetters); err != nil {
		return err
	}
	var failure error // of what is done with a letter, not of reading it
	err = r.Reader.Read(ctx, func(rec *kgo.Record) error {
		if r.Limit > 0 && r.n == r.Limit {
			return ErrStop
		}
		if failure = r.letter(ctx, Parse(rec)); failure != nil {
			return ErrStop
		}
		return nil
	})
	if err = errors.Join(failure, err); err != nil {
		return err
	}
	return r.put(ctx)
}

// begin shuts out who was at it before, and waits until their transaction is
// decided.
func (r *Replay) begin(ctx context.Context) error {
	limits := map[string]int32{r.Topics.Control.Name: r.Topics.Control.MaxMessageBytes}
	for _, s := range r.Topics.Sources {
		limits[s.Name] = s.MaxMessageBytes
	}
	var err error
	id := r.App + "-dlq-replay"
	r.producer, err = kgo.NewClient(append([]kgo.Opt{
		kgo.TransactionalID(id), kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if n, ok := limits[topic]; ok {
				return n
			}
			return r.Topics.Control.MaxMessageBytes
		}),
	}, r.Connect...)...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	if _, _, err := r.producer.ProducerID(ctx); err != nil {
		r.producer.Close()
		return fmt.Errorf("taking the transactional id %s: %w", id, kafka.Explain(err))
	}
	return nil
}

// letter decides about one letter.
func (r *Replay) letter(ctx context.Context, l *Letter) error {
	if !r.Wanted(l) {
		return nil
	}
	outcome, record := r.judge(l)
	if outcome == PutBack {
		r.n++
	}
	r.batch.letters = append(r.batch.letters, judged{l, outcome})
	r.batch.bytes += len(l.Record.Value)
	if outcome == PutBack && !r.DryRun {
		r.batch.add(l, record, r.marks.topicID)
	}
	if len(r.batch.letters) < batchLetters && r.batch.bytes < batchBytes {
		return nil
	}
	return r.put(ctx)
}

// put puts the open batch back in one transaction, and tells of its letters.
func (r *Replay) put(ctx context.Context) error {
	if len(r.batch.records) > 0 {
		if err := r.transact(ctx, r.batch.all(r.Topics.Control.Name, r.marks.obsolete)); err != nil {
			return fmt.Errorf("putting letters back: %w; run it again: what was put back is not put back twice", explain(err))
		}
		r.marks.obsolete = nil
	}
	for _, j := range r.batch.letters {
		if err := r.Tell(j.letter, j.outcome); err != nil {
			return err
		}
	}
	r.batch = batch{}
	return nil
}

func (r *Replay) transact(ctx context.Context, records []*kgo.Record) error {
	if err := r.producer.BeginTransaction(); err != nil {
		return err
	}
	err := failure(r.producer.ProduceSync(ctx, records...))
	end := kgo.TryCommit
	if err != nil {
		end = kgo.TryAbort
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	if ended := r.producer.EndTransaction(ctx, end); err == nil {
		err = ended
	}
	return err
}

// failure returns the first error of records, with the topic that it is about.
func failure(results kgo.ProduceResults) error {
	for _, r := range results {
		if r.Err != nil {
			return fmt.Errorf("producing to topic %s: %w", r.Record.Topic, r.Err)
		}
	}
	return nil
}

func explain(err error) error {
	if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidProducerIDMapping) {
		return fmt.Errorf("%w: another `dlq replay` of this app has begun meanwhile", err)
	}
	return kafka.Explain(err)
}

// judged is a letter with what becomes of it.
type judged struct {
	letter  *Letter
	outcome Outcome
}

// batch is letters that lie together, and what one transaction puts back of them.
type batch struct {
	letters []judged
	bytes   int // of their values
	records []*kgo.Record
	marks   []schemas.ReplayMark
}

// add adds the record that a letter becomes.
func (b *batch) add(l *Letter, record *kgo.Record, topicID string) {
	b.records = append(b.records, record)
	p, offset := l.Record.Partition, l.Record.Offset
	if n := len(b.marks); n == 0 || b.marks[n-1].Partition != p {
		b.marks = append(b.marks, schemas.ReplayMark{TopicID: topicID, Partition: p})
	}
	m := &b.marks[len(b.marks)-1]
	if n := len(m.Offsets); n > 0 && m.Offsets[n-1][1] == offset-1 {
		m.Offsets[n-1][1] = offset
		return
	}
	m.Offsets = append(m.Offsets, [2]int64{offset, offset})
}

// all returns the batch's records with those of the control topic. Obsolete marks
// go first: a new one may have the key of one that is obsolete.
func (b *batch) all(control string, obsolete [][]byte) []*kgo.Record {
	records := b.records
	for _, key := range obsolete {
		records = append(records, &kgo.Record{Topic: control, Key: key})
	}
	for i := range b.marks {
		records = append(records, &kgo.Record{Topic: control, Key: b.marks[i].Key(), Value: b.marks[i].Value()})
	}
	return records
}

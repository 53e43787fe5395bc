package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// batch is a record batch, or a message of the formats before it, as it is in
// an answer. What it says of itself is only checked when it is decoded.
type batch []byte

// Where a batch keeps what is read here.
const (
	batchStart    = 12 // what its length counts from
	batchMagic    = 16
	batchFlags    = 21
	batchLast     = 23
	batchProducer = 43
	batchRecords  = 61

	flagTransactional = 1 << 4
	flagControl       = 1 << 5
)

var errBadBatch = errors.New("the broker sent what is no record batch")

// batches yields those of an answer. The last one may be cut, and is left out.
func batches(b []byte) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		for len(b) > batchMagic {
			n := batchStart + int64(int32(binary.BigEndian.Uint32(b[8:])))
			if n <= batchMagic || b[batchMagic] >= 2 && n < batchRecords {
				yield(nil, errBadBatch)
				return
			}
			if n > int64(len(b)) || !yield(batch(b[:n]), nil) {
				return
			}
			b = b[n:]
		}
	}
}

func (b batch) first() int64    { return int64(binary.BigEndian.Uint64(b)) }
func (b batch) flags() int      { return int(binary.BigEndian.Uint16(b[batchFlags:])) }
func (b batch) producer() int64 { return int64(binary.BigEndian.Uint64(b[batchProducer:])) }

// next returns the offset after the batch. In the formats before, the offset is
// that of the last message.
func (b batch) next() int64 {
	if b[batchMagic] < 2 {
		return b.first() + 1
	}
	return b.first() + int64(int32(binary.BigEndian.Uint32(b[batchLast:]))) + 1
}

// nextOffset returns where to fetch after an answer: behind its last whole
// batch. An answer without one moves nothing.
func nextOffset(answer []byte, at int64) (int64, error) {
	next := at
	for b, err := range batches(answer) {
		if err != nil {
			return at, fmt.Errorf("reading the answer at offset %d: %w", at, err)
		}
		next = max(next, b.next())
	}
	if next == at && len(answer) > 0 {
		return at, fmt.Errorf("the batch at offset %d cannot be decoded", at)
	}
	return next, nil
}

// aborted has the first offsets of the aborted transactions in an answer, by
// producer, in order.
type aborted map[int64][]int64

func abortedOf(raw *kmsg.FetchResponseTopicPartition) aborted {
	a := aborted{}
	for _, t := range raw.AbortedTransactions {
		a[t.ProducerID] = append(a[t.ProducerID], t.FirstOffset)
	}
	for _, offsets := range a {
		slices.Sort(offsets)
	}
	return a
}

// drops tells whether a batch is nothing for a reader: a marker, or of an
// aborted transaction. The first marker of a producer after its transaction's
// first offset is the one that ends it.
func (a aborted) drops(b batch) bool {
	if b[batchMagic] < 2 || b.flags()&(flagTransactional|flagControl) == 0 {
		return false
	}
	open := a[b.producer()]
	inside := len(open) > 0 && b.first() >= open[0]
	if b.flags()&flagControl != 0 {
		if inside {
			a[b.producer()] = open[1:]
		}
		return true
	}
	return inside
}

// decoder makes records of answers, a batch at a time, so that little is in
// memory decompressed.
type decoder struct {
	opts         kgo.ProcessFetchPartitionOpts
	decompressor kgo.Decompressor
}

func newDecoder(topic string, partition int32) *decoder {
	return &decoder{
		opts:         kgo.ProcessFetchPartitionOpts{Topic: topic, Partition: partition},
		decompressor: NewDecompressor(),
	}
}

// decode gives fn the committed records of an answer from at on and below to.
func (d *decoder) decode(raw *kmsg.FetchResponseTopicPartition, at, to int64, fn func(*kgo.Record) error) error {
	a := abortedOf(raw)
	for b, err := range batches(raw.RecordBatches) {
		if err != nil {
			return err
		}
		if a.drops(b) || b.next() <= at {
			continue
		}
		records, err := d.records(b, at)
		if err != nil {
			return fmt.Errorf("decoding the batch at offset %d: %w", b.first(), err)
		}
		for _, r := range records {
			if r.Offset >= to {
				return nil
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// records returns a batch's records from at on.
func (d *decoder) records(b batch, at int64) ([]*kgo.Record, error) {
	opts := d.opts
	opts.Offset = at
	one := kmsg.FetchResponseTopicPartition{Partition: opts.Partition, RecordBatches: b}
	fetched, next := kgo.ProcessFetchPartition(opts, &one, d.decompressor, nil)
	if fetched.Err == nil && next < b.next() {
		return nil, errBadBatch
	}
	return fetched.Records, fetched.Err
}

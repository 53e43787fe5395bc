package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// wire makes an answer as a broker would.
type wire struct {
	raw  kmsg.FetchResponseTopicPartition
	next int64
}

func (w *wire) add(flags int16, producer int64, values ...string) {
	b := kmsg.RecordBatch{
		FirstOffset: w.next, Magic: 2, Attributes: flags, ProducerID: producer,
		LastOffsetDelta: int32(len(values) - 1), NumRecords: int32(len(values)),
	}
	for i, v := range values {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: []byte(v), Value: []byte(v)}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // its own length takes a byte
		b.Records = rec.AppendTo(b.Records)
	}
	b.Length = int32(len(b.AppendTo(nil)) - batchStart)
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[batchFlags:], crc32.MakeTable(crc32.Castagnoli)))
	w.raw.RecordBatches = append(w.raw.RecordBatches, raw...)
	w.next += int64(len(values))
}

// old adds a message of the format before record batches.
func (w *wire) old(value string) {
	m := kmsg.MessageV1{Offset: w.next, Magic: 1, Key: []byte(value), Value: []byte(value)}
	m.MessageSize = int32(len(m.AppendTo(nil)) - batchStart)
	raw := m.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[batchStart:], crc32.ChecksumIEEE(raw[batchMagic:]))
	w.raw.RecordBatches = append(w.raw.RecordBatches, raw...)
	w.next++
}

// firstEnd is the last offset of the first batch: a broker sends nothing that
// lies wholly before what it was asked for.
func (w *wire) firstEnd() int64 {
	for b, err := range batches(w.raw.RecordBatches) {
		if err == nil {
			return b.next() - 1
		}
	}
	return w.next
}

const (
	commitMarker = "\x00\x00\x00\x01"
	abortMarker  = "\x00\x00\x00\x00"
)

// writeWire writes transactions of some producers side by side, and records of
// none, with gaps where a broker has compacted.
func writeWire(t *rapid.T) *wire {
	w := &wire{raw: kmsg.FetchResponseTopicPartition{Partition: 1}, next: rapid.Int64Range(0, 1000).Draw(t, "start")}
	open := map[int64]int64{} // first offsets
	for range rapid.IntRange(0, 25).Draw(t, "batches") {
		w.next += rapid.SampledFrom([]int64{0, 0, 3}).Draw(t, "gap")
		producer := rapid.Int64Range(1, 3).Draw(t, "producer")
		values := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,9}`), 1, 4).Draw(t, "values")
		first, in := open[producer]
		switch rapid.SampledFrom([]string{"plain", "old", "write", "write", "end"}).Draw(t, "step") {
		case "plain":
			w.add(0, -1, values...)
		case "old":
			w.old(values[0])
		case "write":
			if !in {
				open[producer] = w.next
			}
			w.add(flagTransactional, producer, values...)
		case "end":
			marker := rapid.SampledFrom([]string{commitMarker, abortMarker}).Draw(t, "marker")
			if in && marker == abortMarker {
				w.raw.AbortedTransactions = append(w.raw.AbortedTransactions,
					kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: producer, FirstOffset: first})
			}
			delete(open, producer)
			w.add(flagTransactional|flagControl, producer, marker)
		}
	}
	slices.Reverse(w.raw.AbortedTransactions) // their order tells nothing
	return w
}

// What is decoded batch by batch is what the client library makes of the whole.
func TestDecodesAsTheClientDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writeWire(t)
		at := rapid.Int64Range(0, w.firstEnd()).Draw(t, "at")
		to := rapid.Int64Range(at, w.next).Draw(t, "to")
		cut := rapid.IntRange(0, min(20, len(w.raw.RecordBatches))).Draw(t, "cut")
		w.raw.RecordBatches = w.raw.RecordBatches[:len(w.raw.RecordBatches)-cut]

		whole, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: "t", Partition: 1,
		}, &w.raw, kgo.DefaultDecompressor(), nil)
		if whole.Err != nil {
			t.Fatal(whole.Err)
		}
		want := []string{}
		for _, r := range whole.Records {
			if r.Offset < to {
				want = append(want, fmt.Sprintf("%s/%d %d %q", r.Topic, r.Partition, r.Offset, r.Value))
			}
		}
		got := []string{}
		err := newDecoder("t", 1).decode(&w.raw, at, to, func(r *kgo.Record) error {
			got = append(got, fmt.Sprintf("%s/%d %d %q", r.Topic, r.Partition, r.Offset, r.Value))
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("from %d to %d: got %v, %v, want %v", at, to, got, err, want)
		}
		if n, err := nextOffset(w.raw.RecordBatches, at); n != next || (err != nil) != (next == at && len(w.raw.RecordBatches) > 0) {
			t.Fatalf("next is %d, %v, want %d", n, err, next)
		}
	})
}

func TestDamagedBatchIsAnError(t *testing.T) {
	w := &wire{}
	w.add(0, -1, "a", "b")
	short := slices.Clone(w.raw.RecordBatches)
	binary.BigEndian.PutUint32(short[8:], 20)
	negative := slices.Clone(w.raw.RecordBatches)
	binary.BigEndian.PutUint32(negative[8:], 0xffff_fff0)
	flipped := slices.Clone(w.raw.RecordBatches)
	flipped[len(flipped)-1] ^= 1
	fewer := slices.Clone(w.raw.RecordBatches)
	binary.BigEndian.PutUint32(fewer[batchRecords-4:], 3)
	binary.BigEndian.PutUint32(fewer[batchLast:], 2)
	binary.BigEndian.PutUint32(fewer[17:], crc32.Checksum(fewer[batchFlags:], crc32.MakeTable(crc32.Castagnoli)))
	for name, b := range map[string][]byte{"short": short, "negative": negative, "flipped": flipped, "fewer": fewer} {
		raw := kmsg.FetchResponseTopicPartition{RecordBatches: b}
		if err := newDecoder("t", 0).decode(&raw, 0, 10, func(*kgo.Record) error { return nil }); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	for name, b := range map[string][]byte{"short": short, "negative": negative} {
		if _, err := nextOffset(b, 0); !errors.Is(err, errBadBatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := nextOffset(w.raw.RecordBatches[:30], 0); err == nil {
		t.Error("a cut batch alone moves nothing, and is no error")
	}
}

// Whatever a broker sends, nothing panics and the next fetch is never before.
func FuzzDecode(f *testing.F) {
	w := &wire{}
	w.add(flagTransactional, 1, "a", "b")
	w.add(flagTransactional|flagControl, 1, abortMarker)
	w.old("c")
	w.add(0, -1, "d")
	f.Add(w.raw.RecordBatches, int64(1))
	f.Add(w.raw.RecordBatches[:len(w.raw.RecordBatches)-3], int64(0))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, at int64) {
		raw := kmsg.FetchResponseTopicPartition{RecordBatches: b, AbortedTransactions: w.raw.AbortedTransactions}
		_ = newDecoder("t", 0).decode(&raw, at, at+100, func(r *kgo.Record) error {
			if r.Offset < at || r.Offset >= at+100 {
				t.Errorf("offset %d from %d", r.Offset, at)
			}
			return nil
		})
		if next, err := nextOffset(b, at); err == nil && next < at {
			t.Errorf("next is %d after %d", next, at)
		}
	})
}

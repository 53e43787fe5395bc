package processor

import "github.com/twmb/franz-go/pkg/kgo"

// batch is what one transaction reads.
type batch struct {
	records []*kgo.Record // of the last poll
	spans   []span        // of all polls, and of inputs whose marks go on
	begins  []int64       // the first offset of each span that was read
	at      map[partition]int
	count   int
	bytes   int
}

// add takes the records of one partition of a poll.
func (b *batch) add(f kgo.FetchTopicPartition) {
	if len(f.Records) == 0 {
		return
	}
	p := partition{f.Topic, f.Partition}
	i, ok := b.at[p]
	if !ok {
		i = len(b.spans)
		b.at[p] = i
		b.spans = append(b.spans, span{partition: p})
		b.begins = append(b.begins, f.Records[0].Offset)
	}
	last := f.Records[len(f.Records)-1]
	b.spans[i].next = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	b.records = append(b.records, f.Records...)
	b.count += len(f.Records)
	for _, r := range f.Records {
		b.bytes += len(r.Key) + len(r.Value)
	}
}

// processed forgets the records of the last poll, but not where they were.
func (b *batch) processed() {
	clear(b.records)
	b.records = b.records[:0]
}

func (b *batch) reset() {
	b.processed()
	clear(b.at)
	b.spans, b.begins, b.count, b.bytes = b.spans[:0], b.begins[:0], 0, 0
}

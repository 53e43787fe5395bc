package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// Headers of an imported impression, as text.
const (
	HeaderFile = "traitstream.import.file" // as it was named
	HeaderLine = "traitstream.import.line" // from 1; of Parquet the row
)

const (
	// reserve is what a dead letter may take beyond its value, in bytes.
	reserve = 64 << 10
	// overhead is what an impression takes beyond key, value and file name.
	overhead = 256
)

// job turns the values of one file into records.
type job struct {
	*Importer
	file    string
	header  kgo.RecordHeader // the file's, on each impression
	promise func(*kgo.Record, error)
}

// newJob returns a job that calls fail when the broker does not take a record.
func newJob(i *Importer, file string, fail context.CancelCauseFunc) *job {
	return &job{
		Importer: i,
		file:     file,
		header:   kgo.RecordHeader{Key: HeaderFile, Value: []byte(file)},
		promise: func(r *kgo.Record, err error) {
			if err != nil {
				fail(fmt.Errorf("producing to topic %s: %w", r.Topic, explain(err)))
			}
		},
	}
}

func explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("%w: check that it exists, and allow this user Write on it", err)
	}
	return kafka.Explain(err)
}

// place is where in its file an element stands.
type place struct {
	line  int64
	index int // among the elements of its value; -1 where there is one alone
}

// value puts the elements of a value into the topics and returns how many they
// are; index is that of the first.
func (j *job) value(ctx context.Context, v value, index int) int {
	if v.fault != "" {
		at := place{v.line, -1}
		if v.continues {
			at.index = index
		}
		j.refuse(ctx, at, letter{v.json, v.cut, impression.Malformed, v.fault})
		return 1
	}
	j.elements = j.decoder.Decode(j.elements[:0], v.json)
	line, seen, count := v.line, 0, 0
	for n := range j.elements {
		e := &j.elements[n]
		if offset := e.Offset(); offset > seen {
			line += int64(bytes.Count(v.json[seen:offset], []byte{'\n'}))
			seen = offset
		}
		at := place{line, -1}
		if e.Several || v.continues {
			at.index = index + e.Index
		}
		j.element(ctx, at, e)
		count = e.Index + 1
	}
	j.decoder.Reset()
	return count
}

func (j *job) element(ctx context.Context, at place, e *impression.Element) {
	switch e.Outcome {
	case impression.Skipped:
		j.counts.Skipped++
	case impression.Refused:
		j.refuse(ctx, at, letter{e.Raw(), false, e.Reason, e.Message})
	case impression.Accepted:
		j.accept(ctx, at, e.Impression.User, e.Raw())
	}
}

// accept produces an impression to the source topic.
func (j *job) accept(ctx context.Context, at place, user, raw []byte) {
	topic := j.o.Target
	if size := len(raw) + len(user) + len(j.file) + overhead; size > largest(topic) {
		j.refuse(ctx, at, letter{raw, false, TooLarge,
			fmt.Sprintf("a record of %d bytes; topic %s takes up to %d", size, topic.Name, largest(topic))})
		return
	}
	j.counts.Impressions++
	var digits [20]byte
	r := &struct { // one allocation
		kgo.Record
		headers [2]kgo.RecordHeader
	}{}
	r.headers = [2]kgo.RecordHeader{
		j.header,
		{Key: HeaderLine, Value: j.memory.copy(strconv.AppendInt(digits[:0], at.line, 10))},
	}
	r.Record = kgo.Record{
		Topic:     topic.Name,
		Partition: kafka.Partition(user, topic.Partitions),
		Key:       j.memory.copy(user),
		Value:     j.memory.copy(raw),
		Headers:   r.headers[:],
		Timestamp: j.o.Now(),
	}
	j.o.Client.Produce(ctx, &r.Record, j.promise)
}

// letter is what a dead letter tells.
type letter struct {
	raw     []byte
	cut     bool // raw is not all of the element
	reason  impression.Reason
	message string
}

// refuse counts a bad element and produces it to the dead letters, cut to what
// the topic takes.
func (j *job) refuse(ctx context.Context, at place, l letter) {
	j.counts.Refused[l.reason]++
	if j.o.OnRefused != nil {
		j.o.OnRefused(j.file, at.line, l.reason, l.message)
	}
	topic := j.o.DeadLetters
	if topic.Name == "" {
		return
	}
	if limit := largest(topic) - reserve; len(l.raw) > limit {
		l.raw, l.cut = l.raw[:limit], true
	}
	now := j.o.Now()
	j.o.Client.Produce(ctx, &kgo.Record{
		Topic: topic.Name,
		// There may be no user to place it by.
		Partition: int32(at.line % int64(topic.Partitions)),
		Value:     bytes.Clone(l.raw),
		Headers:   j.headers(at, l, now.UnixMilli()),
		Timestamp: now,
	}, j.promise)
}

// headers are those of a dead letter.
func (j *job) headers(at place, l letter, timestamp int64) []kgo.RecordHeader {
	d := schemas.DeadLetter{
		Place: trait.Place{
			Topic:     j.o.Target.Name,
			Offset:    -1, // it never was in Kafka
			Index:     int32(at.index),
			Timestamp: timestamp,
		},
		File:      j.file,
		Line:      int(at.line),
		Stage:     "ingest",
		Reason:    string(l.reason),
		Message:   l.message,
		Truncated: l.cut,
	}
	var headers []kgo.RecordHeader
	for _, h := range d.Headers() {
		headers = append(headers, kgo.RecordHeader(h))
	}
	return headers
}

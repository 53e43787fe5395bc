// Package limit is what the job costs without the job: reading the input, and
// reading it and writing as much as the job does, in transactions.
package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are a limit's.
type Options struct {
	Brokers       []string
	Group         string
	Input, Output string  // no output: records are read and dropped
	Share         float64 // of the records that is written
	Workers       int
}

// copied is how much of a value is written, bytes.
const copied = 120

// Run reads, and writes, until ctx ends.
func Run(ctx context.Context, o Options) error {
	errs := make([]error, o.Workers)
	var workers sync.WaitGroup
	for n := range o.Workers {
		workers.Go(func() {
			if o.Output == "" {
				errs[n] = o.consume(ctx)
			} else {
				errs[n] = o.pass(ctx, n)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ConsumerGroup(o.Group), kgo.ConsumeTopics(o.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(16 << 20), kgo.FetchMaxPartitionBytes(2 << 20), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.SessionTimeout(10 * time.Second),
	}
}

func (o *Options) consume(ctx context.Context) error {
	cl, err := kgo.NewClient(append(o.options(), kgo.AutoCommitInterval(100*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("setting up the consumer: %w", err)
	}
	defer cl.Close()
	for ctx.Err() == nil {
		cl.PollRecords(ctx, 10_000)
	}
	return nil
}

// pass writes a share of what it reads, as franz-go's own transaction session
// has it.
func (o *Options) pass(ctx context.Context, n int) error {
	s, err := kgo.NewGroupTransactSession(append(o.options(),
		kgo.TransactionalID(fmt.Sprintf("%s-%d", o.Group, n)), kgo.TransactionTimeout(10*time.Second),
		kgo.DefaultProduceTopic(o.Output), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))...)
	if err != nil {
		return fmt.Errorf("setting up the session: %w", err)
	}
	defer s.Close()
	due := 0.0
	for ctx.Err() == nil {
		if err := s.Begin(); err != nil {
			return fmt.Errorf("beginning a transaction: %w", err)
		}
		deadline := time.Now().Add(100 * time.Millisecond)
		for read := 0; ctx.Err() == nil && time.Now().Before(deadline) && read < 50_000; {
			polling, cancel := context.WithDeadline(ctx, deadline)
			fetches := s.PollRecords(polling, 10_000)
			cancel()
			fetches.EachRecord(func(r *kgo.Record) {
				read++
				if due += o.Share; due >= 1 {
					due--
					s.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value[:min(copied, len(r.Value))]}, nil)
				}
			})
		}
		if _, err := s.End(context.WithoutCancel(ctx), kgo.TryCommit); err != nil {
			return fmt.Errorf("ending a transaction: %w", err)
		}
	}
	return nil
}

package kafka

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadLogs is ReadPartition for several partitions of a topic, some at a time: fn is
// called for one record of a partition at a time. Follow is asked once for each, and what
// it returns is told of each offset, and of the end.
func ReadLogs(ctx context.Context, cl *kgo.Client, topic string, logs map[int32]Span, readers int,
	follow func(Span) (reached func(int64)), fn func(*kgo.Record) error) error {
	var jobs []func(context.Context) error
	for number, log := range logs {
		reached := follow(log)
		jobs = append(jobs, func(ctx context.Context) error {
			err := ReadPartition(ctx, cl, topic, number, log.From, log.To, func(r *kgo.Record) error {
				reached(r.Offset)
				return fn(r)
			})
			if err == nil {
				reached(log.To)
			}
			return err
		})
	}
	return InParallel(ctx, readers, jobs)
}

// InParallel does jobs, such as the reads of a topic's partitions, some at a
// time. The first error ends the others and is returned; so is that of ctx.
func InParallel(ctx context.Context, workers int, jobs []func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan func(context.Context) error)
	var working sync.WaitGroup
	for range min(workers, len(jobs)) {
		working.Go(func() {
			for job := range queue {
				if err := job(ctx); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, job := range jobs {
		select {
		case queue <- job:
		case <-ctx.Done():
		}
	}
	close(queue)
	working.Wait()
	return context.Cause(ctx)
}

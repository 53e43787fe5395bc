package kafka

import (
	"context"
	"sync"
)

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

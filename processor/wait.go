package processor

import (
	"context"
	"time"
)

// backoff is the pause before another attempt, from 100 ms to 5 s.
func backoff(failures int) time.Duration {
	return min(5*time.Second, 100*time.Millisecond<<min(failures, 10))
}

// sleep waits and returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

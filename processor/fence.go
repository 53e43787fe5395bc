package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/kafka"
	"traitstream/schemas"
)

// fence shuts out the producer of a seat (KIP-98's InitProducerId) and waits
// until its open transaction is aborted.
func (o *Options) fence(ctx context.Context, transactionalID string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &transactionalID
	req.TransactionTimeoutMillis = int32(transactionTimeout.Milliseconds())
	err := whileConcurrent(ctx, func() error {
		resp, err := req.RequestWith(ctx, o.Client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("fencing the transactional id %s: %w", transactionalID, kafka.Explain(err))
	}
	return nil
}

// fenceAll fences several seats at once.
func (o *Options) fenceAll(ctx context.Context, seats []string) error {
	errs := make([]error, len(seats))
	var wg sync.WaitGroup
	for i, seat := range seats {
		wg.Go(func() { errs[i] = o.fence(ctx, o.transactionalID(seat)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fenceDead fences the workers that had some tasks last and are no longer in the
// group. Each commit names its worker beside the offset, and each worker commits
// once before its first transaction, so a dead one's name is known although
// nobody may have heard of it. Without this the tasks would wait until the
// broker gives up the dead one's transaction. What fails here costs that wait
// and no more.
func (o *Options) fenceDead(ctx context.Context, numbers []int32) {
	dead, err := o.deadOwners(ctx, numbers)
	if err != nil {
		if ctx.Err() == nil {
			o.Log.Warn("looking for dead workers' transactions", "error", kafka.Explain(err))
		}
		return
	}
	if len(dead) == 0 {
		return
	}
	o.Log.Info("fencing workers that are gone", "instances", strings.Join(dead, " "))
	if err := o.fenceAll(ctx, dead); err != nil && ctx.Err() == nil {
		o.Log.Warn("a dead worker's transaction has to be waited for", "error", err)
	}
}

// deadOwners returns the seats that some tasks were committed by last and that
// the group knows no more.
func (o *Options) deadOwners(ctx context.Context, numbers []int32) ([]string, error) {
	committed, err := o.Committed(ctx, nil)
	if err != nil {
		return nil, err
	}
	var seats []string
	committed.Each(func(r kadm.OffsetResponse) {
		note, ok := schemas.ParseOffsetNote(r.Metadata)
		seat, ours := strings.CutPrefix(note.Owner, o.transactionalID(""))
		if ok && ours && slices.Contains(numbers, r.Partition) && !slices.Contains(seats, seat) {
			seats = append(seats, seat)
		}
	})
	seats = slices.DeleteFunc(seats, func(s string) bool { return slices.Contains(o.Instance.held, s) })
	if len(seats) == 0 {
		return nil, nil
	}
	described, err := kadm.NewClient(o.Client).DescribeGroups(ctx, o.Config.Group())
	if err == nil {
		err = described.Error()
	}
	if err != nil {
		return nil, err
	}
	for _, m := range described[o.Config.Group()].Members {
		if m.InstanceID != nil {
			seats = slices.DeleteFunc(seats, func(s string) bool { return s == *m.InstanceID })
		}
	}
	return seats, nil
}

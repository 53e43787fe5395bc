package processor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var boundaryNames = [boundaries]string{
	"polled", "decoded", "merged", "produced", "flushed", "offsets sent", "ending", "ended", "applied",
}

// errCrash ends a worker at a boundary, and with it its process.
var errCrash = errors.New("crashed")

// incident is what happens while a worker stands at a boundary. It runs on the
// worker's goroutine; after is done by the test when the worker has got past it
// or has ended.
type incident struct {
	at    func(b *bubble, p *process) error
	after func(b *bubble, p *process)
}

var incidents = map[string]incident{
	"killed, and back on its folder": {
		func(_ *bubble, p *process) error { p.cable.sever(); return errCrash },
		func(b *bubble, p *process) { b.kill(p); b.start(p.dir, nil) },
	},
	"killed, and back without its folder": {
		func(_ *bubble, p *process) error { p.cable.sever(); return errCrash },
		func(b *bubble, p *process) { b.kill(p); b.start(b.t.TempDir(), nil) },
	},
	"killed, and its tasks go elsewhere": {
		func(_ *bubble, p *process) error { p.cable.sever(); return errCrash },
		func(b *bubble, p *process) { b.start(b.t.TempDir(), nil); b.pass(time.Second); b.kill(p) },
	},
	"the network is cut for a moment": {
		func(_ *bubble, p *process) error {
			p.cable.sever()
			time.AfterFunc(2*time.Second, p.cable.mend)
			return nil
		}, nil,
	},
	"the network is cut for longer than the transaction": {
		func(_ *bubble, p *process) error {
			p.cable.sever()
			time.AfterFunc(25*time.Second, p.cable.mend)
			return nil
		}, nil,
	},
	"answers are lost": {
		func(_ *bubble, p *process) error {
			p.cable.deafen()
			time.AfterFunc(25*time.Second, p.cable.mend)
			return nil
		}, nil,
	},
	"a rebalance takes tasks away": {
		func(b *bubble, _ *process) error { return b.pause(1500 * time.Millisecond) },
		func(b *bubble, _ *process) { b.start(b.t.TempDir(), nil) },
	},
	"it stands still for longer than its session, and others take over": {
		func(b *bubble, p *process) error {
			p.cable.hold()
			defer p.cable.mend()
			return b.pause(9 * time.Second)
		},
		func(b *bubble, _ *process) { b.start(b.t.TempDir(), nil) },
	},
	"it stands still for longer than the transaction": {
		func(b *bubble, _ *process) error { return b.pause(30 * time.Second) }, nil,
	},
}

// pause lets time go by while a worker stands still.
func (b *bubble) pause(d time.Duration) error {
	sleep(b.t.Context(), d)
	return nil
}

// Whatever happens at whatever place of the loop, in a process's first batch or
// a later one, under transactions of either version, what comes out is what the
// oracle says (S7, S8, S12).
func TestBoundaries(t *testing.T) {
	t.Parallel()
	for at := range boundaries {
		for i, name := range slices.Sorted(maps.Keys(incidents)) {
			what := incidents[name]
			for _, batch := range []int{1, 3} {
				for version := int16(1); version <= implicitTransactionVersion; version++ {
					// Short: every second incident at each place, in one of the four ways.
					if testing.Short() && (int(at)+i)%8 != batch/2+2*int(version-1) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/batch %d/transactions %d", boundaryNames[at], name, batch, version), func(t *testing.T) {
						t.Parallel()
						inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
							b.transactionVersion(version)
							meet(b, at, what, batch)
						})
					})
				}
			}
		}
	}
}

func meet(b *bubble, at boundary, what incident, batch int) {
	in := newInput(b, uint64(at)<<8|uint64(batch))
	met := make(chan struct{})
	reached := 0 // by worker 0, which is the one that it happens to
	var p *process
	in.put(60)
	b.start(b.t.TempDir(), func(q *process) {
		p = q
		q.o.at = func(worker int, here boundary) error {
			if worker != 0 || here != at {
				return nil
			}
			if reached++; reached != batch {
				return nil
			}
			close(met)
			return what.at(b, q)
		}
	})
	for i := 0; ; i++ {
		select {
		case <-met:
		default:
			if i == 200 {
				b.t.Fatal("the boundary was never reached")
			}
			b.pass(300 * time.Millisecond)
			in.put(10)
			continue
		}
		break
	}
	if what.after != nil {
		what.after(b, p)
	}
	in.put(60)
	b.pass(40 * time.Second)
	in.put(20)
	b.settle()
	b.check(b.dirs...)
}

// Each error that a broker may answer at each step is met once and survived.
func TestRefusedSteps(t *testing.T) {
	t.Parallel()
	steps := []struct {
		key  kmsg.Key
		errs []*kerr.Error
		make func(kmsg.Request, *kerr.Error) kmsg.Response
	}{
		{kmsg.Produce, []*kerr.Error{
			kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut, kerr.OutOfOrderSequenceNumber,
			kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.UnknownServerError,
			kerr.ConcurrentTransactions, kerr.TransactionAbortable,
		}, refuseAll},
		{kmsg.AddOffsetsToTxn, []*kerr.Error{
			kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.InvalidProducerEpoch,
			kerr.ProducerFenced, kerr.InvalidProducerIDMapping, kerr.InvalidTxnState, kerr.TransactionAbortable,
		}, refuseAddOffsets},
		{kmsg.TxnOffsetCommit, []*kerr.Error{
			kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID,
			kerr.RebalanceInProgress, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.TransactionAbortable,
			kerr.UnstableOffsetCommit, kerr.RequestTimedOut, kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable,
			kerr.InvalidTxnState, kerr.InvalidProducerIDMapping,
		}, func(r kmsg.Request, err *kerr.Error) kmsg.Response {
			return refuseOffsets(r.(*kmsg.TxnOffsetCommitRequest), err)
		}},
		{kmsg.EndTxn, []*kerr.Error{
			kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.InvalidProducerEpoch,
			kerr.ProducerFenced, kerr.InvalidTxnState, kerr.TransactionAbortable, kerr.UnknownServerError,
		}, func(r kmsg.Request, err *kerr.Error) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.EndTxnResponse)
			resp.ErrorCode = err.Code
			return resp
		}},
	}
	for _, step := range steps {
		for i, err := range step.errs {
			for version := int16(1); version <= implicitTransactionVersion; version++ {
				if step.key == kmsg.AddOffsetsToTxn && version == implicitTransactionVersion {
					continue // it is not sent
				}
				if testing.Short() && step.key != kmsg.AddOffsetsToTxn && i%2 != int(version-1) {
					continue // each error once, under one of the versions
				}
				t.Run(fmt.Sprintf("%s/%s/transactions %d", step.key.Name(), err.Message, version), func(t *testing.T) {
					t.Parallel()
					inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
						b.transactionVersion(version)
						survive(b, step.key, func(r kmsg.Request) kmsg.Response { return step.make(r, err) })
					})
				})
			}
		}
	}
}

// survive checks that a refusal in the middle of the work, which makes an answer
// of a request, or nil to let it pass, changes nothing of what comes out.
func survive(b *bubble, key kmsg.Key, refuse func(kmsg.Request) kmsg.Response) {
	in := newInput(b, 5)
	in.put(60)
	b.start(b.t.TempDir(), nil)
	b.caughtUp(b.t.Context())
	var armed atomic.Bool
	hits := once(b.cluster, key, func(r kmsg.Request) kmsg.Response {
		if !armed.Load() {
			return nil
		}
		return refuse(r)
	})
	armed.Store(true)
	for i := 0; hits.Load() == 0 && i < 200; i++ {
		in.put(10)
		b.pass(300 * time.Millisecond)
	}
	if hits.Load() == 0 {
		b.t.Fatal("the error was never met")
	}
	b.settle()
	b.check()
}

func refuseAddOffsets(r kmsg.Request, err *kerr.Error) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	resp.ErrorCode = err.Code
	return resp
}

// refuseAll refuses every partition of a transaction's records.
func refuseAll(r kmsg.Request, err *kerr.Error) kmsg.Response {
	req := r.(*kmsg.ProduceRequest)
	if req.TransactionID == nil {
		return nil // the test's own
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, rt := range req.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, err.Code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

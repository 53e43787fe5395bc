package processor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the coordinators refuse for the moment is sent again: the worker keeps its
// seat, and the other tasks of its transaction are not held up.
func TestPassingRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		version int16
		fault   kfake.Fault
	}{
		"the markers before are being written":         {1, kfake.Fault{Keys: []kmsg.Key{kmsg.AddOffsetsToTxn}, TopLevel: true, Err: kerr.ConcurrentTransactions}},
		"the markers before are still being written":   {2, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.ConcurrentTransactions}},
		"the group has a new generation":               {2, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration}},
		"the group is rebalancing":                     {2, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.RebalanceInProgress}},
		"the group has a new generation, and is added": {1, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
				b.transactionVersion(c.version)
				taken, f := b.takenIDs(), c.fault
				f.Count = 10
				refused := b.cluster.Fault(f)
				in := newInput(b, 2)
				in.put(60)
				b.start(b.t.TempDir(), nil)
				b.settle()
				b.check()
				for id, n := range taken() {
					if n != 1 || refused.Hits() != f.Count {
						b.t.Errorf("the transactional id %s was taken %d times, after %d refusals", id, n, refused.Hits())
					}
				}
			})
		})
	}
}

// Partitions and groups are added to a transaction by requests only where the
// cluster's transactions do not take them in by themselves.
func TestImplicitTransactions(t *testing.T) {
	for version := int16(0); version <= implicitTransactionVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
				b.transactionVersion(version)
				added := map[kmsg.Key]*kfake.FaultHandle{}
				for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn} {
					added[key] = b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Observe: true, Count: -1})
				}
				old := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Observe: true, Count: -1,
					When: func(r kmsg.Request) bool { return r.GetVersion() <= txnOffsetCommitVersion }})
				in := newInput(b, 2)
				in.put(60)
				b.start(b.t.TempDir(), nil)
				b.settle()
				b.check()
				byRequests := version < implicitTransactionVersion
				for key, requests := range added {
					if n := requests.Hits(); n > 0 != byRequests {
						b.t.Errorf("%d requests %s", n, key.Name())
					}
				}
				if n := old.Hits(); n > 0 != byRequests {
					b.t.Errorf("%d commits of offsets that do not add their group", n)
				}
			})
		})
	}
}

// A commit is sent under one membership: a member that the group has forgotten
// meanwhile, and that has joined anew, may have lost what it commits for.
func TestCommitUnderOneMembership(t *testing.T) {
	inBubble(t, oneWorker, nil, func(b *bubble) {
		client, err := kgo.NewClient(append([]kgo.Opt{
			kgo.ConsumerGroup(b.cfg.Group()), kgo.ConsumeTopics("a"), kgo.HeartbeatInterval(10 * time.Millisecond),
			kgo.MetadataMinAge(10 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		}, b.connect...)...)
		if err != nil {
			b.t.Fatal(err)
		}
		defer client.Close()
		member := func() string { id, _ := client.GroupMetadata(); return id }
		until(b.t, "it has joined", func() bool { return member() != "" })
		l := &ledger{group: b.cfg.Group(), consumer: client, joined: make(chan struct{}), member: member()}
		close(l.joined)
		sent := 0
		err = l.attempt(b.t.Context(), func(id string, _ int32) error {
			sent++
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.Members = b.cfg.Group(), []kmsg.LeaveGroupRequestMember{{MemberID: id}}
			if _, err := leave.RequestWith(b.t.Context(), b.client); err != nil {
				b.t.Error(err)
			}
			until(b.t, "it has joined anew", func() bool { now := member(); return now != "" && now != id })
			return kerr.RebalanceInProgress
		})
		if sent != 1 || !errors.Is(err, kerr.UnknownMemberID) {
			b.t.Errorf("sent %d times, and ended with %v", sent, err)
		}
	})
}

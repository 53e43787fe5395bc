package processor

import (
	"errors"
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
	for name, f := range map[string]kfake.Fault{
		"the markers before are being written": {Keys: []kmsg.Key{kmsg.AddOffsetsToTxn}, TopLevel: true, Err: kerr.ConcurrentTransactions},
		"the group has a new generation":       {Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration},
		"the group is rebalancing":             {Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.RebalanceInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
				taken := b.takenIDs()
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

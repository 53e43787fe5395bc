package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRetriable(t *testing.T) {
	w := newWorld(t, "", 1)
	_, gone := w.client.Broker(99).Request(t.Context(), kmsg.NewPtrMetadataRequest()) // has left the cluster
	for _, c := range []struct {
		err  error
		want bool
	}{
		{kerr.ProducerFenced, true},
		{kerr.InvalidProducerEpoch, true},
		{kerr.IllegalGeneration, true},
		{kerr.UnknownMemberID, true},
		{kerr.NotCoordinator, true},
		{kerr.ConcurrentTransactions, true},
		{kerr.TransactionAbortable, true},
		{errNotOwner, true},
		{context.DeadlineExceeded, true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{gone, true},
		{fmt.Errorf("%w to x: %w", errProducing, errors.New("purged")), true},
		{fmt.Errorf("%w to x: %w", errProducing, kerr.MessageTooLarge), false},
		{kerr.FencedInstanceID, false},
		{errSeatTaken, false},
		{kerr.MessageTooLarge, false},
		{kerr.TopicAuthorizationFailed, false},
		{errors.Join(kerr.TopicAuthorizationFailed, kerr.InvalidProducerEpoch), false},
		{fmt.Errorf("folder x: %w", syscall.ENOSPC), false},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.EIO}, false},
		{errors.New("a record is damaged"), false},
	} {
		if got := retriable(fmt.Errorf("doing something: %w", c.err)); got != c.want {
			t.Errorf("%v: retriable is %v", c.err, got)
		}
	}
}

// A right that is taken away while it runs ends the process with a sentence that
// says what it lacks; nothing is lost or twice when it is given back.
func TestAuthorizationIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		word   string
		refuse func(w *world, c *kfake.Cluster) *atomic.Int32
	}{
		"traits topic": {"TOPIC_AUTHORIZATION_FAILED", func(w *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.Produce, func(r kmsg.Request) kmsg.Response {
				return refuseProduce(w, r.(*kmsg.ProduceRequest), w.topics.Traits.Name, kerr.TopicAuthorizationFailed)
			})
		}},
		"group": {"GROUP_AUTHORIZATION_FAILED", func(_ *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.TxnOffsetCommit, func(r kmsg.Request) kmsg.Response {
				return refuseOffsets(r.(*kmsg.TxnOffsetCommitRequest), kerr.GroupAuthorizationFailed)
			})
		}},
		"transactional id": {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", func(_ *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.EndTxn, func(r kmsg.Request) kmsg.Response {
				resp := r.ResponseKind().(*kmsg.EndTxnResponse)
				resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
				return resp
			})
		}},
		"source": {"TOPIC_AUTHORIZATION_FAILED", func(_ *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.Fetch, func(r kmsg.Request) kmsg.Response {
				return refuseFetch(r.(*kmsg.FetchRequest), kerr.TopicAuthorizationFailed)
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, cluster := newFaultyWorld(t, "", 2)
			dir := t.TempDir()
			m := w.member(dir)
			ended := make(chan error, 1)
			go func() { ended <- m.Run(t.Context()) }()
			w.put(w.webhook("u", "f", "on", 0))
			until(t, "the first change is out", func() bool { return len(w.changes()["user/u/f"]) == 1 })
			c.refuse(w, cluster)
			w.put(w.webhook("u", "f", "off", 10))
			err := <-ended
			if err == nil || !strings.Contains(err.Error(), c.word) || !strings.Contains(err.Error(), "allow this user") {
				t.Errorf("it ended with %v", err)
			}
			m.close()
			w.member(dir).drain()
			if got := w.changes()["user/u/f"]; len(got) != 2 {
				t.Errorf("the changes are %v", got)
			}
		})
	}
}

// refuseFetch answers a request of the group's consumers that fetches the source.
func refuseFetch(req *kmsg.FetchRequest, err *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	for _, rt := range req.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, err.Code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if len(req.Topics) == 0 || req.IsolationLevel == 0 {
		return nil
	}
	return resp
}

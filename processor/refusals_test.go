package processor

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refusal is what a broker may answer to a request, now and then.
type refusal struct {
	key kmsg.Key
	top bool // for the whole request, where it has such a place
	err []*kerr.Error
}

// Those with which a process must go on by itself.
var refusals = []refusal{
	{kmsg.Produce, false, []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend,
		kerr.InvalidProducerEpoch, kerr.KafkaStorageError}},
	{kmsg.TxnOffsetCommit, false, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.RequestTimedOut,
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.InvalidProducerEpoch}},
	{kmsg.EndTxn, true, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions,
		kerr.InvalidProducerEpoch, kerr.ProducerFenced}},
	{kmsg.InitProducerID, true, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions}},
	{kmsg.Fetch, false, []*kerr.Error{kerr.NotLeaderForPartition, kerr.OffsetNotAvailable, kerr.UnknownLeaderEpoch, kerr.KafkaStorageError}},
	{kmsg.OffsetFetch, false, []*kerr.Error{kerr.UnstableOffsetCommit, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress}},
	{kmsg.ListOffsets, false, []*kerr.Error{kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.OffsetNotAvailable}},
	{kmsg.Metadata, false, []*kerr.Error{kerr.LeaderNotAvailable}},
	{kmsg.FindCoordinator, false, []*kerr.Error{kerr.CoordinatorNotAvailable}},
	{kmsg.JoinGroup, true, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID}},
	{kmsg.SyncGroup, true, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID}},
	{kmsg.Heartbeat, true, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID}},
}

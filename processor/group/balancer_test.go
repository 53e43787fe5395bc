package group

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A task that moves while its source gets a partition of its number moves
// whole: the new partition does not come before the inbox, which its old owner
// still reads.
func TestBalanceKeepsTasksWhole(t *testing.T) {
	b := Balancer{Tasks: 2}
	topics := []string{"inbox", "s"}
	members := []kmsg.JoinGroupResponseMember{
		{MemberID: "a", ProtocolMetadata: b.JoinGroupMetadata(topics, map[string][]int32{"inbox": {0, 1}, "s": {0}}, 5)},
		{MemberID: "b", ProtocolMetadata: b.JoinGroupMetadata(topics, nil, -1)},
	}
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range b.Balance(c, map[string]int32{"inbox": 2, "s": 2}).IntoSyncAssignment() {
		got, err := kgo.ParseConsumerSyncAssignment(a.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		has := map[int32]int{}
		for _, partitions := range got {
			for _, p := range partitions {
				has[p]++
			}
		}
		for task, n := range has {
			if n != 2 {
				t.Errorf("member %s gets %d of the 2 inputs of task %d: %v", a.MemberID, n, task, got)
			}
		}
	}
}

package group

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// joins returns members of processes as the coordinator hands them over, each
// with what it owns.
func joins(topics map[string]int32, owned map[Member]map[string][]int32, generation int32) []kmsg.JoinGroupResponseMember {
	var members []kmsg.JoinGroupResponseMember
	for who, owns := range owned {
		b := Balancer{Member: who}
		members = append(members, kmsg.JoinGroupResponseMember{
			MemberID:         fmt.Sprintf("%s-%d%s", who.Process, who.Worker, who.Run),
			ProtocolMetadata: b.JoinGroupMetadata(slices.Sorted(maps.Keys(topics)), owns, generation),
		})
	}
	return members
}

// A task that moves while its source gets a partition of its number moves
// whole: the new partition does not come before the inbox, which its old owner
// still reads.
func TestBalanceKeepsTasksWhole(t *testing.T) {
	topics := map[string]int32{"inbox": 2, "s": 2}
	members := joins(topics, map[Member]map[string][]int32{
		{Process: "a"}: {"inbox": {0, 1}, "s": {0}},
		{Process: "b"}: nil,
	}, 5)
	for id, got := range planOf(t, Balancer{Tasks: 2}, members, topics) {
		has := map[int32]int{}
		for _, partitions := range got {
			for _, p := range partitions {
				has[p]++
			}
		}
		for task, n := range has {
			if n != 2 {
				t.Errorf("member %s gets %d of the 2 inputs of task %d: %v", id, n, task, got)
			}
		}
	}
}

// The plan depends on who the members are and what they own, not on the order
// in which the coordinator lists them.
func TestBalanceIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := map[string]int32{"inbox": 12, "s": 15}
		owned := map[Member]map[string][]int32{}
		for p := range rapid.IntRange(1, 4).Draw(t, "processes") {
			for w := range rapid.IntRange(1, 4).Draw(t, "workers") {
				// Two may have the same number.
				who := Member{Process: fmt.Sprint("p", p), Worker: w / 2, Run: fmt.Sprint("r", w)}
				owned[who] = map[string][]int32{}
			}
		}
		workers := slices.Collect(maps.Keys(owned))
		for unit := range topics["s"] {
			who := rapid.IntRange(-1, len(workers)-1).Draw(t, "owner")
			for topic, n := range topics {
				if who >= 0 && unit < n {
					owns := owned[workers[who]]
					owns[topic] = append(owns[topic], unit)
				}
			}
		}
		members := joins(topics, owned, 3)
		first := planOf(t, Balancer{Tasks: 12}, members, topics)
		other := planOf(t, Balancer{Tasks: 12}, rapid.Permutation(members).Draw(t, "order"), topics)
		if !reflect.DeepEqual(first, other) {
			t.Fatalf("plans differ:\n%v\n%v", first, other)
		}
	})
}

// A member whose user data tells nothing is a process of its own, under its
// instance id, which is the name that its process has in the next release.
func TestBalanceMemberOfReleaseBefore(t *testing.T) {
	topics := map[string]int32{"inbox": 12}
	seat := "a"
	old := Balancer{}
	members := append(joins(topics, map[Member]map[string][]int32{
		{Process: "a", Worker: 1}: nil, {Process: "b"}: nil, {Process: "c"}: nil,
	}, -1),
		kmsg.JoinGroupResponseMember{MemberID: "x", InstanceID: &seat, ProtocolMetadata: old.JoinGroupMetadata([]string{"inbox"}, nil, -1)},
		kmsg.JoinGroupResponseMember{MemberID: "y", ProtocolMetadata: old.JoinGroupMetadata([]string{"inbox"}, nil, -1)},
	)
	plan := planOf(t, Balancer{Tasks: 12}, members, topics)
	got := map[string]int{}
	for id, assigned := range plan {
		got[id] = len(assigned["inbox"])
	}
	// The old worker of process a comes first: it has no number but 0.
	if want := map[string]int{"x": 2, "a-1": 1, "b-0": 3, "c-0": 3, "y": 3}; !maps.Equal(got, want) {
		t.Errorf("tasks by member are %v, want %v", got, want)
	}
}

// A claim of an older generation loses, and holds nothing back; but what nobody
// else holds yet waits until it has been let go.
func TestBalanceStaleClaim(t *testing.T) {
	topics := map[string]int32{"inbox": 2, "s": 2}
	members := append(
		joins(topics, map[Member]map[string][]int32{{Process: "a"}: {"inbox": {0, 1}, "s": {0, 1}}}, 5),
		joins(topics, map[Member]map[string][]int32{{Process: "b"}: {"inbox": {0}}}, 6)...)
	want := map[string]map[string][]int32{"a-0": {"inbox": {1}, "s": {1}}, "b-0": {"inbox": {0}}}
	if got := planOf(t, Balancer{Tasks: 2}, members, topics); !reflect.DeepEqual(got, want) {
		t.Errorf("the plan is %v, want %v", got, want)
	}
}

// Nobody to place on, and claims to partitions that there are not.
func TestBalanceOddInput(t *testing.T) {
	if plan := planOf(t, Balancer{Tasks: 3}, nil, map[string]int32{"inbox": 3}); len(plan) != 0 {
		t.Errorf("the plan for nobody is %v", plan)
	}
	members := joins(nil, map[Member]map[string][]int32{{Process: "a"}: {"gone": {7, -1}, "inbox": {9}}}, 1)
	plan := planOf(t, Balancer{Tasks: 3}, members, map[string]int32{"inbox": 2})
	if want := map[string]map[string][]int32{"a-0": {"inbox": {0, 1}}}; !reflect.DeepEqual(plan, want) {
		t.Errorf("the plan is %v, want %v", plan, want)
	}
}

// A leader places 1000 partitions of two topics on 15 processes of 4 workers,
// after a process has joined:
//
//	go test ./processor/group -run '^$' -bench .
func BenchmarkBalance(b *testing.B) {
	topics := map[string]int32{"inbox": 1000, "s": 1000}
	owned := map[Member]map[string][]int32{}
	for m := range 60 {
		who := Member{Process: fmt.Sprint("p", m/4), Worker: m % 4}
		owned[who] = map[string][]int32{}
		for p := int32(m); m < 56 && p < 1000; p += 56 {
			for topic := range topics {
				owned[who][topic] = append(owned[who][topic], p)
			}
		}
	}
	members := joins(topics, owned, 1)
	for b.Loop() {
		planOf(b, Balancer{Tasks: 1000}, members, topics)
	}
}

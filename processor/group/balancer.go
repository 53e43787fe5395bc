// Package group places tasks on the members of the consumer group.
//
// A task is a partition number: partition t of every source and of the inbox
// are one task's inputs and always stay together, whatever the topics'
// partition counts are. A member is a worker, and a process has several: each
// tells in its metadata whose it is. Tasks are spread over processes first and
// over the workers of each second; no worker is without one while there are
// enough. The balancer is cooperative: a member keeps what it has unless another
// one has too little, and what does not move is never stopped.
package group

import (
	"cmp"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Protocol is the name under which members agree on this balancer.
const Protocol = "traitstream-tasks"

// Balancer implements kgo.GroupBalancer.
type Balancer struct {
	// Tasks is the number of tasks, 0 or more; partitions beyond it hold no state
	// and are spread separately.
	Tasks int32
	// Member is the worker whose client has this balancer.
	Member Member
}

// ProtocolName returns Protocol.
func (Balancer) ProtocolName() string { return Protocol }

// IsCooperative returns true.
func (Balancer) IsCooperative() bool { return true }

// JoinGroupMetadata tells the leader who this member is and what it owns, as the
// consumer protocol of KIP-429 and KIP-792 has it.
func (b Balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.UserData = b.Member.userData()
	meta.Generation = generation
	for topic, partitions := range owned {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = topic, partitions
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	slices.SortFunc(meta.OwnedPartitions, func(a, b kmsg.ConsumerMemberMetadataOwnedPartition) int {
		return cmp.Compare(a.Topic, b.Topic)
	})
	return meta.AppendTo(nil)
}

// ParseSyncAssignment returns what the leader assigned.
func (Balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer returns the balancer of one rebalance.
func (b Balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, err
	}
	return c, c.MemberTopics(), nil
}

// Balance plans who gets which partitions of the topics, which map to their
// partition counts. It depends on what the members say alone, in any order.
func (b Balancer) Balance(c *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	plan := c.NewPlan()
	workers := workersOf(c)
	if len(workers) == 0 {
		return plan
	}
	units := int32(0)
	for _, n := range topics {
		units = max(units, n)
	}
	claims := claimsOf(workers)
	owner := lastOwners(units, claims)
	place(owner, int(b.Tasks), processesOf(workers))
	moving := moves(owner, claims)
	for unit, w := range owner {
		if moving[unit] {
			continue // whole: a partition that is new would come before the others
		}
		for topic, n := range topics {
			if int32(unit) < n {
				plan.AddPartition(workers[w].member, topic, int32(unit))
			}
		}
	}
	plan.AdjustCooperative(c)
	return plan
}

// claim is a member's word that it owned a unit in a generation.
type claim struct {
	unit       int32
	member     int
	generation int32
}

// claimsOf returns what the workers say that they own.
func claimsOf(workers []worker) []claim {
	var claims []claim
	for i, w := range workers {
		for _, topic := range w.meta.OwnedPartitions {
			for _, p := range topic.Partitions {
				claims = append(claims, claim{unit: p, member: i, generation: w.meta.Generation})
			}
		}
	}
	return claims
}

// lastOwners returns the member that claims each unit in the highest
// generation, or -1. A tie goes to the first.
func lastOwners(units int32, claims []claim) []int {
	owner := make([]int, units)
	generation := make([]int32, units)
	for i := range owner {
		owner[i] = -1
	}
	for _, c := range claims {
		if c.unit >= 0 && c.unit < units && (owner[c.unit] < 0 || c.generation > generation[c.unit]) {
			owner[c.unit], generation[c.unit] = c.member, c.generation
		}
	}
	return owner
}

// moves tells of each unit whether another member than its owner to be has a
// part of it still, by the claims of the highest generation. Such a unit is
// given to nobody until that member has let it go: else its partitions that
// nobody holds yet, such as new ones, would go ahead of the rest.
func moves(owner []int, claims []claim) []bool {
	generation := make([]int32, len(owner))
	for i := range generation {
		generation[i] = math.MinInt32
	}
	for _, c := range claims {
		if c.unit >= 0 && int(c.unit) < len(owner) {
			generation[c.unit] = max(generation[c.unit], c.generation)
		}
	}
	moving := make([]bool, len(owner))
	for _, c := range claims {
		if c.unit >= 0 && int(c.unit) < len(owner) && c.generation == generation[c.unit] && c.member != owner[c.unit] {
			moving[c.unit] = true
		}
	}
	return moving
}

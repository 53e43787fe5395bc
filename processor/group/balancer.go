// Package group places tasks on the members of the consumer group.
//
// A task is a partition number: partition t of every source and of the inbox
// are one task's inputs and always stay together, whatever the topics'
// partition counts are. The balancer is cooperative: a member keeps what it has
// unless another one has too little, and what does not move is never stopped.
package group

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Protocol is the name under which members agree on this balancer.
const Protocol = "traitstream-tasks"

// Balancer implements kgo.GroupBalancer.
type Balancer struct {
	// Tasks is the number of tasks; partitions beyond it hold no state and are
	// spread separately.
	Tasks int32
}

// ProtocolName returns Protocol.
func (Balancer) ProtocolName() string { return Protocol }

// IsCooperative returns true.
func (Balancer) IsCooperative() bool { return true }

// JoinGroupMetadata tells the leader what this member owns, as the consumer
// protocol of KIP-429 and KIP-792 has it.
func (Balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
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
// partition counts.
func (b Balancer) Balance(c *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var members []*kmsg.JoinGroupResponseMember
	var claims []claim
	c.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		for _, topic := range meta.OwnedPartitions {
			for _, p := range topic.Partitions {
				claims = append(claims, claim{unit: p, member: len(members), generation: meta.Generation})
			}
		}
		members = append(members, m)
	})
	units := int32(0)
	for _, n := range topics {
		units = max(units, n)
	}
	plan := c.NewPlan()
	owner := place(units, b.Tasks, len(members), claims)
	moving := moves(owner, claims)
	for unit, member := range owner {
		if moving[unit] {
			continue // whole: a partition that is new would come before the others
		}
		for topic, n := range topics {
			if int32(unit) < n {
				plan.AddPartition(members[member], topic, int32(unit))
			}
		}
	}
	plan.AdjustCooperative(c)
	return plan
}

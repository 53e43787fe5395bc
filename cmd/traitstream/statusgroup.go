package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/processor/group"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// member is a worker in the group.
type member struct {
	group.Member
	host string // as the broker sees it
}

// membership is a look at the group.
type membership struct {
	state   string // as Kafka calls it, such as Stable; Dead is one that does not exist
	members []member
	owners  map[place]member
}

// The states of a group in which the brokers don't tell what its members have,
// and of one that nobody has joined.
const (
	groupPreparing  = "PreparingRebalance"
	groupCompleting = "CompletingRebalance"
	groupDead       = "Dead"
)

// rebalancing tells whether who owns what is being settled.
func (g *membership) rebalancing() bool {
	return g.state == groupPreparing || g.state == groupCompleting
}

// processes returns how many the members belong to.
func (g *membership) processes() int {
	names := map[string]bool{}
	for _, m := range g.members {
		names[m.Process] = true
	}
	return len(names)
}

const (
	// settlePatience is how long status waits for a rebalance to end, in which the
	// brokers tell little; an ordinary one takes less.
	settlePatience = 5 * time.Second
	settleInterval = 200 * time.Millisecond
)

// settledGroup asks for the members of a group, again while it is rebalancing.
func settledGroup(ctx context.Context, cl *kgo.Client, name string) (*membership, error) {
	late := time.After(settlePatience)
	for {
		g, err := describeGroup(ctx, cl, name)
		if err != nil || !g.rebalancing() {
			return g, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return g, nil
		case <-time.After(settleInterval):
		}
	}
}

// describeGroup asks for the members of a group and what they have.
func describeGroup(ctx context.Context, cl *kgo.Client, name string) (*membership, error) {
	groups, err := kadm.NewClient(cl).DescribeGroups(ctx, name)
	described := groups[name]
	if err == nil {
		err = described.Err
	}
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return &membership{state: groupDead}, nil
	case err != nil:
		return nil, fmt.Errorf("asking for the members of group %s: %w", name, kafka.Explain(err))
	}
	g := &membership{state: described.State, owners: map[place]member{}}
	for _, d := range described.Members {
		m := memberOf(d)
		g.members = append(g.members, m)
		if assigned, ok := d.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					g.owners[place{t.Topic, p}] = m
				}
			}
		}
	}
	return g, nil
}

// memberOf reads what a member says of itself. One that says nothing is a
// process of its own, by the name that lasts longest.
func memberOf(d kadm.DescribedGroupMember) member {
	m := member{host: strings.TrimPrefix(d.ClientHost, "/")} // Kafka prints addresses as Java does
	if host, _, err := net.SplitHostPort(m.host); err == nil {
		m.host = host // the embedded broker tells the port too
	}
	if joined, ok := d.Join.AsConsumer(); ok {
		if who, ok := group.ParseMember(joined.UserData); ok {
			m.Member = who
			return m
		}
	}
	m.Process = d.MemberID
	if d.InstanceID != nil {
		m.Process = *d.InstanceID
	}
	return m
}

package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// sim is a consumer group: what the coordinator and the members do in the
// cooperative protocol, without the waiting.
type sim struct {
	t          *rapid.T
	tasks      int32
	topics     map[string]int32
	generation int32
	members    []*simMember
	gone       []*simMember // expelled; they still think that they own what they had
	joined     int
}

type simMember struct {
	id       string
	instance *string
	who      Member // zero for one of the release before
	// owned and generation are what it says when it joins.
	owned      map[string][]int32
	generation int32
}

func newSim(t *rapid.T, tasks int32) *sim {
	return &sim{t: t, tasks: tasks, topics: map[string]int32{
		"inbox": tasks,
		"more":  tasks + rapid.Int32Range(0, 6).Draw(t, "partitions beyond the tasks"),
		"less":  rapid.Int32Range(1, tasks).Draw(t, "partitions of a small source"),
	}}
}

func (s *sim) join(who Member, instance bool) {
	s.joined++
	m := &simMember{id: fmt.Sprintf("m%02d", s.joined), who: who, generation: -1}
	if instance {
		name := "i" + m.id
		m.instance = &name
	}
	s.members = append(s.members, m)
}

func (s *sim) joinProcess(workers int) {
	process := fmt.Sprintf("p%02d", s.joined)
	for w := range workers {
		s.join(Member{Process: process, Worker: w}, true)
	}
}

func (s *sim) leave(m *simMember) {
	s.members = slices.DeleteFunc(s.members, func(n *simMember) bool { return n == m })
	s.gone = append(s.gone, m)
}

// process is what the placement should take for the member's process.
func (m *simMember) process() string {
	switch {
	case m.who.Process != "":
		return m.who.Process
	case m.instance != nil:
		return *m.instance
	}
	return m.id
}

// spot is a partition.
type spot struct {
	topic string
	unit  int32
}

func (m *simMember) spots() []spot {
	var spots []spot
	for topic, partitions := range m.owned {
		for _, p := range partitions {
			spots = append(spots, spot{topic, p})
		}
	}
	return spots
}

// owners returns who holds each partition by the youngest claim.
func (s *sim) owners() map[spot]*simMember {
	owners := map[spot]*simMember{}
	for _, m := range s.members {
		for _, p := range m.spots() {
			if o := owners[p]; o == nil || m.generation > o.generation {
				owners[p] = m
			}
		}
	}
	return owners
}

// plan lets the leader balance, whatever the order in which members joined.
func (s *sim) plan() map[string]map[string][]int32 {
	var joins []kmsg.JoinGroupResponseMember
	topics := slices.Sorted(maps.Keys(s.topics))
	for _, m := range rapid.Permutation(s.members).Draw(s.t, "order") {
		b := Balancer{Tasks: s.tasks, Member: m.who}
		joins = append(joins, kmsg.JoinGroupResponseMember{
			MemberID: m.id, InstanceID: m.instance,
			ProtocolMetadata: b.JoinGroupMetadata(topics, m.owned, m.generation),
		})
	}
	return planOf(s.t, Balancer{Tasks: s.tasks}, joins, s.topics)
}

// planOf returns the leader's plan by member id, topic.
func planOf(t rapid.TB, b Balancer, joins []kmsg.JoinGroupResponseMember, topics map[string]int32) map[string]map[string][]int32 {
	balancer, _, err := b.MemberBalancer(joins)
	if err != nil {
		t.Fatal(err)
	}
	into, err := balancer.(kgo.GroupMemberBalancerOrError).BalanceOrError(topics)
	if err != nil {
		t.Fatal(err)
	}
	plan := map[string]map[string][]int32{}
	for _, a := range into.IntoSyncAssignment() {
		if plan[a.MemberID], err = b.ParseSyncAssignment(a.MemberAssignment); err != nil {
			t.Fatal(err)
		}
	}
	return plan
}

// round is one rebalance. It tells whether somebody let something go, and so
// will join once more.
func (s *sim) round() (again bool) {
	before, plan := s.owners(), s.plan()
	after := map[spot]*simMember{}
	s.generation++
	for _, m := range s.members {
		held := m.spots()
		m.owned, m.generation = plan[m.id], s.generation
		for _, p := range m.spots() {
			if p.unit >= s.topics[p.topic] {
				s.t.Fatalf("%s gets %v, which is not there", m.id, p)
			}
			if o := before[p]; o != nil && o != m {
				s.t.Fatalf("%s gets %v, which %s holds", m.id, p, o.id)
			}
			if o := after[p]; o != nil {
				s.t.Fatalf("%s and %s get %v", m.id, o.id, p)
			}
			after[p] = m
		}
		again = again || slices.ContainsFunc(held, func(p spot) bool { return after[p] != m })
	}
	s.checkWhole(after)
	return again
}

// checkWhole checks that whoever has a partition has all of its number.
func (s *sim) checkWhole(owners map[spot]*simMember) {
	for p, m := range owners {
		for topic, n := range s.topics {
			if p.unit < n && owners[spot{topic, p.unit}] != m {
				s.t.Fatalf("%s has %v without that of %s", m.id, p, topic)
			}
		}
	}
}

// settle goes on until nobody lets go of anything: two rounds at most, and then
// all is placed, evenly, and another round changes nothing.
func (s *sim) settle() {
	for rounds := 1; s.round(); rounds++ {
		if rounds == 2 {
			s.t.Fatal("something is let go in the second round")
		}
	}
	placed := s.owners()
	processes, place := s.processes(), map[*simMember]int{}
	for i, m := range s.roster() {
		place[m] = i
	}
	tasks := make([]int, len(s.members))
	counted := map[int32]bool{}
	for topic, n := range s.topics {
		for unit := range n {
			m := placed[spot{topic, unit}]
			switch {
			case m == nil:
				s.t.Fatalf("partition %d of %s is nobody's", unit, topic)
			case counted[unit]:
			case unit < s.tasks:
				tasks[place[m]]++
			case s.tasks > 0 && m != placed[spot{topic, unit % s.tasks}]:
				s.t.Fatalf("partition %d of %s is not where its task is", unit, topic)
			}
			counted[unit] = true
		}
	}
	if !isEven(processes, tasks) {
		s.t.Fatalf("uneven: %v have tasks %v", processes, tasks)
	}
	if s.round() || !maps.Equal(placed, s.owners()) {
		s.t.Fatal("what has settled moves again")
	}
}

// roster returns the members, process by process.
func (s *sim) roster() []*simMember {
	return slices.SortedFunc(slices.Values(s.members), func(a, b *simMember) int {
		return strings.Compare(a.process()+" "+a.id, b.process()+" "+b.id)
	})
}

// processes lists the places in the roster of each process's members.
func (s *sim) processes() [][]int {
	var processes [][]int
	last := ""
	for i, m := range s.roster() {
		if m.process() != last {
			processes, last = append(processes, nil), m.process()
		}
		p := &processes[len(processes)-1]
		*p = append(*p, i)
	}
	return processes
}

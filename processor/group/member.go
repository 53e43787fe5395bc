package group

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Member is what a worker tells the group of itself when it joins: compact JSON
// in the user data of the consumer protocol. Fields are only ever added; those
// that a release does not know are ignored.
type Member struct {
	// Process names the process; its workers share it. Never empty.
	Process string `json:"process"`
	// Worker is the worker's number in its process, from 0.
	Worker int `json:"worker"`
	// Run tells one run of the process from the next. May be empty.
	Run string `json:"run,omitempty"`
	// HTTP is where the process answers, host:port. May be empty.
	HTTP string `json:"http,omitempty"`
}

// ParseMember reads what a member said of itself, and false where that is empty,
// unreadable or without a process, as from the release before.
func ParseMember(userData []byte) (Member, bool) {
	var m Member
	if err := json.Unmarshal(userData, &m); err != nil || m.Process == "" {
		return Member{}, false
	}
	return m, true
}

// userData returns nothing for a member without a process.
func (m Member) userData() []byte {
	if m.Process == "" {
		return nil
	}
	b, _ := json.Marshal(m) // strings and a number: never fails
	return b
}

// memberOf returns who a member is. One that does not tell is a process of its
// own, by the name that lasts longest.
func memberOf(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) Member {
	if who, ok := ParseMember(meta.UserData); ok {
		return who
	}
	if m.InstanceID != nil {
		return Member{Process: *m.InstanceID}
	}
	return Member{Process: m.MemberID}
}

// worker is a member of the group with what it says.
type worker struct {
	Member
	member *kmsg.JoinGroupResponseMember
	meta   *kmsg.ConsumerMemberMetadata
}

// workersOf returns the members of the group, process by process.
func workersOf(c *kgo.ConsumerBalancer) []worker {
	var workers []worker
	c.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		workers = append(workers, worker{memberOf(m, meta), m, meta})
	})
	slices.SortFunc(workers, func(a, b worker) int {
		return cmp.Or(
			cmp.Compare(a.Process, b.Process),
			cmp.Compare(a.Worker, b.Worker),
			cmp.Compare(a.member.MemberID, b.member.MemberID),
		)
	})
	return workers
}

// processesOf returns the places of each process's workers among sorted workers.
func processesOf(workers []worker) [][]int {
	var processes [][]int
	for i, w := range workers {
		if i == 0 || w.Process != workers[i-1].Process {
			processes = append(processes, nil)
		}
		last := len(processes) - 1
		processes[last] = append(processes[last], i)
	}
	return processes
}

package group

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawGroup draws a group of processes, some of the release before.
func drawGroup(t *rapid.T) *sim {
	s := newSim(t, rapid.Int32Range(1, 24).Draw(t, "tasks"))
	for range rapid.IntRange(1, 3).Draw(t, "processes") {
		s.joinProcess(rapid.IntRange(1, 4).Draw(t, "workers"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "members of the release before") {
		s.join(Member{}, rapid.Bool().Draw(t, "static"))
	}
	return s
}

// events are what happens to a group between two rebalances.
var events = map[string]func(*sim){
	"process joins": func(s *sim) { s.joinProcess(rapid.IntRange(1, 3).Draw(s.t, "workers")) },
	"worker joins": func(s *sim) {
		m := rapid.SampledFrom(s.members).Draw(s.t, "beside")
		s.join(Member{Process: m.process(), Worker: 9}, true)
	},
	"old member joins": func(s *sim) { s.join(Member{}, rapid.Bool().Draw(s.t, "static")) },
	"worker leaves":    func(s *sim) { s.leave(rapid.SampledFrom(s.members).Draw(s.t, "who")) },
	"process leaves": func(s *sim) {
		process := rapid.SampledFrom(s.members).Draw(s.t, "whose").process()
		for _, m := range s.roster() {
			if m.process() == process {
				s.leave(m)
			}
		}
	},
	// Within a rebalance: the coordinator has nothing to give back.
	"worker restarts": func(s *sim) {
		m := rapid.SampledFrom(s.members).Draw(s.t, "who")
		m.owned, m.generation = nil, -1
	},
	// It missed what came after it was expelled, and claims what it had.
	"zombie returns": func(s *sim) {
		if len(s.gone) > 0 {
			i := rapid.IntRange(0, len(s.gone)-1).Draw(s.t, "who")
			s.members = append(s.members, s.gone[i])
			s.gone = append(s.gone[:i], s.gone[i+1:]...)
		}
	},
	"partitions are added": func(s *sim) {
		topic := rapid.SampledFrom([]string{"less", "more"}).Draw(s.t, "topic")
		s.topics[topic] += rapid.Int32Range(1, 4).Draw(s.t, "partitions")
	},
}

// Whatever happens, in the middle of a rebalance too, nobody gets what another
// one holds, tasks stay whole, and two rounds after the last event all is placed
// evenly and stays where it is.
func TestRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawGroup(t)
		s.settle()
		happens := map[string]func(*rapid.T){}
		for name, event := range events {
			happens[name] = func(t *rapid.T) {
				event(s)
				if len(s.members) == 0 {
					s.joinProcess(1)
				}
				if rapid.Bool().Draw(t, "one round only") {
					s.round()
				} else {
					s.settle()
				}
			}
		}
		t.Repeat(happens)
		s.settle()
	})
}

// When one process or one of its workers joins or leaves, then after all rounds
// no more tasks have changed process, and of those plans no more have changed
// worker, than an even spread asks for.
func TestRoundsMoveLeast(t *testing.T) {
	for _, name := range []string{"process joins", "old member joins", "worker joins", "worker leaves", "process leaves"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := drawGroup(t)
				s.settle()
				before := s.owners()
				events[name](s)
				if len(s.members) == 0 {
					return
				}
				s.settle()
				after := s.owners()
				stayed := [2]int{}
				byProcess, byMember := map[string]int{}, map[*simMember]int{}
				for unit := range s.tasks {
					was, is := before[spot{"inbox", unit}], after[spot{"inbox", unit}]
					if !slices.Contains(s.members, was) {
						continue // nobody is left to say whose it was
					}
					byProcess[was.process()]++
					byMember[was]++
					if was.process() == is.process() {
						stayed[0]++
					}
					if was == is {
						stayed[1]++
					}
				}
				if most := s.mostStay(byProcess, byMember); stayed != most {
					t.Fatalf("%v tasks stayed in their process, with their worker; %v could", stayed, most)
				}
			})
		})
	}
}

// mostStay tries all even numbers of tasks by process: how many could stay where
// they were, in the process and, of those plans, with the worker?
func (s *sim) mostStay(byProcess map[string]int, byMember map[*simMember]int) [2]int {
	roster, processes := s.roster(), s.processes()
	workers := 0
	for _, p := range processes {
		workers += len(p)
	}
	best := [2]int{-1}
	shares := make([]int, len(processes))
	var try func(p, left int)
	try = func(p, left int) {
		if p < len(processes) {
			for shares[p] = 0; shares[p] <= left; shares[p]++ {
				try(p+1, left-shares[p])
			}
			return
		}
		if left > 0 || !isFair(processes, shares, int(s.tasks) >= workers) {
			return
		}
		var stay [2]int
		for i, members := range processes {
			stay[0] += min(byProcess[roster[members[0]].process()], shares[i])
			var had []int
			for _, m := range members {
				had = append(had, byMember[roster[m]])
			}
			stay[1] += mostKept(had, shares[i])
		}
		if stay[0] > best[0] || stay[0] == best[0] && stay[1] > best[1] {
			best = stay
		}
	}
	try(0, int(s.tasks))
	return best
}

// isFair is isEven for the numbers of processes.
func isFair(processes [][]int, shares []int, enough bool) bool {
	for p := range shares {
		if enough && shares[p] < len(processes[p]) {
			return false
		}
		for q := range shares {
			if shares[p] > shares[q]+1 && (!enough || shares[p] > len(processes[p])) {
				return false
			}
		}
	}
	return true
}

// mostKept tries all choices of the workers that have one more than the others.
func mostKept(had []int, share int) int {
	best := 0
	for more := range 1 << len(had) {
		kept, left := 0, share
		for w, n := range had {
			due := share/len(had) + more>>w&1
			kept += min(n, due)
			left -= due
		}
		if left == 0 {
			best = max(best, kept)
		}
	}
	return best
}

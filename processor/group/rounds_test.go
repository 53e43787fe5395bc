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
				roster, had, stayed := s.roster(), make([]int, len(s.members)), [2]int{}
				for unit := range s.tasks {
					was, is := before[spot{"inbox", unit}], after[spot{"inbox", unit}]
					i := slices.Index(roster, was)
					if i < 0 {
						continue // nobody is left to say whose it was
					}
					had[i]++
					if was.process() == is.process() {
						stayed[0]++
					}
					if was == is {
						stayed[1]++
					}
				}
				if most := mostStay(s.processes(), had, int(s.tasks)); stayed != most {
					t.Fatalf("%v tasks stayed in their process, with their worker; %v could", stayed, most)
				}
			})
		})
	}
}

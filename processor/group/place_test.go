package group

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawProcesses draws how the members are spread over processes.
func drawProcesses(t *rapid.T, processes, workers int) [][]int {
	sizes := rapid.SliceOfN(rapid.IntRange(1, workers), 1, processes).Draw(t, "workers of each process")
	var drawn [][]int
	next := 0
	for _, n := range sizes {
		var members []int
		for range n {
			members = append(members, next)
			next++
		}
		drawn = append(drawn, members)
	}
	return drawn
}

func membersOf(processes [][]int) int { return len(slices.Concat(processes...)) }

// drawOwners draws the owners of some units, -1 for none.
func drawOwners(t *rapid.T, most, members int) []int {
	// Few members own most, so that there is something to move.
	owner := rapid.OneOf(rapid.IntRange(-1, members-1), rapid.IntRange(-1, min(1, members-1)))
	return rapid.SliceOfN(owner, 0, most).Draw(t, "owners")
}

// counts returns how many units each process and each member has, and fails
// where one has no owner.
func counts(t rapid.TB, processes [][]int, owner []int) (byProcess, byMember []int) {
	byMember = make([]int, membersOf(processes))
	for unit, m := range owner {
		if m < 0 || m >= len(byMember) {
			t.Fatalf("unit %d belongs to member %d of %d", unit, m, len(byMember))
		}
		byMember[m]++
	}
	return byProcessOf(processes, byMember), byMember
}

func byProcessOf(processes [][]int, byMember []int) []int {
	n := make([]int, len(processes))
	for p, members := range processes {
		for _, m := range members {
			n[p] += byMember[m]
		}
	}
	return n
}

// isEven is the rule of how units are spread, as it is said: processes differ by
// at most one, unless the larger one could give only by leaving a worker of its
// own without a unit while there are enough for all; the workers of each differ
// by at most one.
func isEven(processes [][]int, byMember []int) bool {
	total := 0
	for _, n := range byMember {
		total += n
	}
	enough := total >= len(byMember)
	byProcess := byProcessOf(processes, byMember)
	for p, members := range processes {
		for q := range processes {
			if byProcess[p] > byProcess[q]+1 && (!enough || byProcess[p] > len(members)) {
				return false
			}
		}
		for _, m := range members {
			for _, n := range members {
				if byMember[m] > byMember[n]+1 {
					return false
				}
			}
			if enough && byMember[m] == 0 {
				return false
			}
		}
	}
	return true
}

// Each unit has one owner; tasks are spread over processes first, workers
// second, nobody without one; and the units beyond go with them.
func TestPlaceIsEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		processes := drawProcesses(t, 6, 6)
		owner := drawOwners(t, 80, membersOf(processes))
		tasks := rapid.IntRange(0, 80).Draw(t, "tasks")
		place(owner, tasks, processes)
		tasks = min(tasks, len(owner))
		if byProcess, byMember := counts(t, processes, owner[:tasks]); !isEven(processes, byMember) {
			t.Fatalf("processes have %v, members %v", byProcess, byMember)
		}
		for unit := tasks; unit < len(owner) && tasks > 0; unit++ {
			if owner[unit] != owner[unit%tasks] {
				t.Fatalf("unit %d is not where task %d is: %v", unit, unit%tasks, owner)
			}
		}
	})
}

// No even plan moves fewer units between processes, and none that moves as few
// moves fewer between members.
func TestPlaceMovesLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		processes := drawProcesses(t, 3, 3)
		members := membersOf(processes)
		most := []int{8, 8, 8, 7, 6, 5, 4, 4, 4, 4}[members]
		before := drawOwners(t, most, members)
		after := slices.Clone(before)
		place(after, len(after), processes)
		got, least := cost(processes, before, after), leastCost(processes, before)
		if got != least {
			t.Fatalf("moves %v units where %v would do: %v to %v", got, least, before, after)
		}
	})
}

// The same of more units and members, told from numbers alone.
func TestPlaceMovesLeastOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		processes := drawProcesses(t, 4, 4)
		before := drawOwners(t, 24, membersOf(processes))
		after := slices.Clone(before)
		place(after, len(after), processes)
		had, owned := make([]int, membersOf(processes)), 0
		for _, m := range before {
			if m >= 0 {
				had[m]++
				owned++
			}
		}
		moved := cost(processes, before, after)
		stayed := [2]int{owned - moved[0], owned - moved[1]}
		if most := mostStay(processes, had, len(before)); stayed != most {
			t.Fatalf("%v units stay in their process, with their member; %v could: %v to %v", stayed, most, before, after)
		}
	})
}

// What leaves a process is taken, one after the other, from its worker that has
// most: no worker that gave has fewer left than another one less one.
func TestPlaceTakesFromTheMostLoaded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		processes := drawProcesses(t, 4, 4)
		members := membersOf(processes)
		before := drawOwners(t, 60, members)
		after := slices.Clone(before)
		place(after, len(after), processes)
		left, gave := make([]int, members), make([]int, members)
		for unit, m := range before {
			switch {
			case m < 0:
			case cost(processes, []int{m}, []int{after[unit]})[0] > 0:
				gave[m]++
			default:
				left[m]++
			}
		}
		for _, workers := range processes {
			for _, m := range workers {
				for _, n := range workers {
					if gave[m] > 0 && left[m] < left[n]-1 {
						t.Fatalf("member %d gave %d and has %d left, member %d has %d", m, gave[m], left[m], n, left[n])
					}
				}
			}
		}
	})
}

// Units of low numbers, which more topics have, do not all go to one process.
func TestPlaceDealsLowNumbersOut(t *testing.T) {
	owner := slices.Repeat([]int{-1}, 12)
	place(owner, 12, [][]int{{0, 1}, {2, 3}})
	want := []int{0, 2, 1, 3, 0, 2, 1, 3, 0, 2, 1, 3}
	if !slices.Equal(owner, want) {
		t.Fatalf("owners are %v, want %v", owner, want)
	}
}

// Which process has the odd unit: one that can keep it goes before one where it
// only stays with its worker; then comes who has just let go of most, from one of its
// workers to another.
func TestPlaceOddUnit(t *testing.T) {
	for name, test := range map[string]struct {
		owner     []int
		tasks     int
		processes [][]int
		want      []int // units by process
	}{
		"to who keeps it":    {[]int{0, 0, 0, 0, 0, 2, 2, 2, -1, -1}, 10, [][]int{{0, 1}, {2, 3, 4}, {5}}, []int{4, 3, 3}},
		"back to who let go": {[]int{0, 0, 0, 0, 0, 1, 1, 1, -1, -1, -1}, 11, [][]int{{0}, {1, 2}}, []int{5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			place(test.owner, test.tasks, test.processes)
			if got, _ := counts(t, test.processes, test.owner); !slices.Equal(got, test.want) {
				t.Errorf("processes have %v units, want %v", got, test.want)
			}
		})
	}
}

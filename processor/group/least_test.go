package group

import "slices"

// What follows finds the least movement by trying, another way than placement
// does. The first number of a pair is of processes, the second of members.

// cost is what a plan moves: units that change process, units that change member.
func cost(processes [][]int, before, after []int) [2]int {
	process := make([]int, membersOf(processes))
	for p, members := range processes {
		for _, m := range members {
			process[m] = p
		}
	}
	var moved [2]int
	for unit, m := range before {
		if m < 0 {
			continue
		}
		if process[m] != process[after[unit]] {
			moved[0]++
		}
		if m != after[unit] {
			moved[1]++
		}
	}
	return moved
}

// leastCost tries every even plan there is.
func leastCost(processes [][]int, before []int) [2]int {
	byMember := make([]int, membersOf(processes))
	after := make([]int, len(before))
	best := [2]int{len(before) + 1}
	var try func(unit int)
	try = func(unit int) {
		if unit == len(before) {
			if moved := cost(processes, before, after); isEven(processes, byMember) && slices.Compare(moved[:], best[:]) < 0 {
				best = moved
			}
			return
		}
		for m := range byMember {
			after[unit] = m
			byMember[m]++
			try(unit + 1)
			byMember[m]--
		}
	}
	try(0)
	return best
}

// mostStay tries all even numbers of units by process: of those that each member
// had, how many could stay in their process and, of those plans, with the member?
func mostStay(processes [][]int, had []int, total int) [2]int {
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
		if left > 0 || !isFair(processes, shares, total >= len(had)) {
			return
		}
		var stay [2]int
		byProcess := byProcessOf(processes, had)
		for p, members := range processes {
			stay[0] += min(byProcess[p], shares[p])
			stay[1] += mostKept(had[members[0]:members[0]+len(members)], shares[p])
		}
		if slices.Compare(stay[:], best[:]) > 0 {
			best = stay
		}
	}
	try(0, total)
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

// mostKept tries all choices of the members that have one more than the others.
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

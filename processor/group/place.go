package group

import "math"

// claim is a member's word that it owned a unit in a generation.
type claim struct {
	unit       int32
	member     int
	generation int32
}

// place gives each unit (a partition number) to a member and returns the
// members by unit. Tasks, the units below tasks, are spread evenly, and so are
// the units beyond them; each stays with the member that owned it last unless
// that member has more than its share.
func place(units, tasks int32, members int, claims []claim) []int {
	owner := lastOwners(units, claims)
	if members == 0 {
		return nil
	}
	tasks = min(tasks, units)
	load := make([]int, members)
	spread(owner[:tasks], load)
	spread(owner[tasks:], load)
	return owner
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

// spread settles the owners of some units so that no two members differ by
// more than one of them. Members that own most keep the larger shares; units
// without an owner go to who has least in total, which load counts.
func spread(owner, load []int) {
	members := len(load)
	owned := make([]int, members)
	for _, m := range owner {
		if m >= 0 {
			owned[m]++
		}
	}
	share, larger := len(owner)/members, len(owner)%members
	quota := make([]int, members)
	for m := range quota {
		quota[m] = share
	}
	for range larger {
		quota[mostWanting(owned, quota, load, share)]++
	}
	have := make([]int, members)
	var free []int
	for unit, m := range owner {
		if m >= 0 && have[m] < quota[m] {
			have[m]++
		} else {
			free = append(free, unit)
		}
	}
	for _, unit := range free {
		m := leastLoaded(have, quota, load)
		owner[unit] = m
		have[m]++
	}
	for m, n := range have {
		load[m] += n
	}
}

// mostWanting returns the member that should get one of the larger shares: the
// one that owns most beyond its quota, then the least loaded.
func mostWanting(owned, quota, load []int, share int) int {
	best := -1
	for m := range owned {
		if quota[m] > share {
			continue
		}
		if best < 0 || owned[m] > owned[best] || owned[m] == owned[best] && load[m] < load[best] {
			best = m
		}
	}
	return best
}

// leastLoaded returns the member with room in its quota that has least.
func leastLoaded(have, quota, load []int) int {
	best := -1
	for m := range have {
		if have[m] >= quota[m] {
			continue
		}
		if best < 0 || have[m]+load[m] < have[best]+load[best] {
			best = m
		}
	}
	return best
}

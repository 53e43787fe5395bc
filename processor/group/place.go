package group

import "slices"

// place gives each unit (a partition number) to a member: owner has the member
// that owned it last, -1 for none, and then the one that is to have it. The
// members are numbered from 0; processes lists those of each. Tasks, the units
// below tasks, are spread evenly; each unit beyond goes with the task that it is
// congruent to, whose definitions it is read by.
//
// What moves is the least that an even spread asks for: first, the fewest units
// change process, since their state stays behind; then the fewest change member.
func place(owner []int, tasks int, processes [][]int) {
	tasks = min(tasks, len(owner))
	load := make([]int, len(slices.Concat(processes...)))
	spread(owner[:tasks], processes, load)
	for unit := tasks; unit < len(owner) && tasks > 0; unit++ {
		owner[unit] = owner[unit%tasks]
	}
	if tasks == 0 {
		spread(owner, processes, load)
	}
}

// hands are the members while units of one kind are dealt out to them.
type hands struct {
	held [][]int // by member
	load []int   // by member: what it has of the kind that was dealt out before
}

// spread settles the owners of some units, and adds to each member's load.
func spread(owner []int, processes [][]int, load []int) {
	h := hands{held: make([][]int, len(load)), load: load}
	var free []int
	for unit, m := range owner {
		if m < 0 {
			free = append(free, unit)
		} else {
			h.held[m] = append(h.held[m], unit)
		}
	}
	h.settle(processes, len(owner), free)
	for m, units := range h.held {
		load[m] += len(units)
		for _, unit := range units {
			owner[unit] = m
		}
	}
}

// settle gives each group of members its share of some units: of total, those
// in free are nobody's. Groups with too many give, and within each group the
// same goes on with its members.
func (h *hands) settle(groups [][]int, total int, free []int) {
	shares := h.shares(groups, total)
	room := make([]int, len(groups))
	for g, group := range groups {
		for h.count(group) > shares[g] {
			free = append(free, h.take(group))
		}
		room[g] = shares[g] - h.count(group)
	}
	dealt := make([][]int, len(groups))
	for _, unit := range free {
		g := largest(room)
		dealt[g] = append(dealt[g], unit)
		room[g]--
	}
	for g, group := range groups {
		if len(group) == 1 {
			h.held[group[0]] = append(h.held[group[0]], dealt[g]...)
			continue
		}
		h.settle(slices.Collect(slices.Chunk(group, 1)), shares[g], dealt[g])
	}
}

// shares divides units among groups: to each as many as to the others or one
// more, but not fewer than it has members where there are enough for all.
func (h *hands) shares(groups [][]int, total int) []int {
	least := make([]int, len(groups))
	if total >= len(slices.Concat(groups...)) {
		for g, group := range groups {
			least[g] = len(group)
		}
	}
	level := 0
	for sumAtLeast(least, level+1) <= total {
		level++
	}
	var open []int // the groups that may have one more
	shares := make([]int, len(groups))
	for g := range groups {
		shares[g] = max(least[g], level)
		if least[g] <= level {
			open = append(open, g)
		}
	}
	slices.SortStableFunc(open, func(a, b int) int {
		return slices.Compare(h.wish(groups[b], level), h.wish(groups[a], level))
	})
	for _, g := range open[:total-sumAtLeast(least, level)] {
		shares[g]++
	}
	return shares
}

// wish tells how good it is that a group has one unit more than level, by what
// counts most: that one stays in the group; that one stays with its member; that
// the group has little of the other kind; that it has little of this kind, since
// its members may just have let go what goes from one of them to another.
func (h *hands) wish(group []int, level int) []int {
	stays, staysWithMember, load := 0, 0, 0
	if h.count(group) > level {
		stays = 1
	}
	each, larger := level/len(group), level%len(group)
	for _, m := range group {
		load += h.load[m]
		if len(h.held[m]) > each {
			larger--
		}
	}
	if larger < 0 {
		staysWithMember = 1
	}
	return []int{stays, staysWithMember, -load, -h.count(group)}
}

// take takes a unit from the member of a group that has most.
func (h *hands) take(group []int) int {
	most := group[0]
	for _, m := range group {
		if len(h.held[m]) > len(h.held[most]) {
			most = m
		}
	}
	last := len(h.held[most]) - 1
	unit := h.held[most][last]
	h.held[most] = h.held[most][:last]
	return unit
}

func (h *hands) count(group []int) int {
	n := 0
	for _, m := range group {
		n += len(h.held[m])
	}
	return n
}

// sumAtLeast adds up some numbers, of which none counts less than level.
func sumAtLeast(numbers []int, level int) int {
	sum := 0
	for _, n := range numbers {
		sum += max(n, level)
	}
	return sum
}

// largest returns the place of the largest number, the first where several are.
func largest(numbers []int) int {
	best := 0
	for i, n := range numbers {
		if n > numbers[best] {
			best = i
		}
	}
	return best
}

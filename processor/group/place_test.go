package group

import (
	"testing"

	"pgregory.net/rapid"
)

// Every unit has one owner, shares differ by at most one, and no more moves
// than the shares ask for.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Int32Range(0, 40).Draw(t, "units")
		tasks := rapid.Int32Range(0, 40).Draw(t, "tasks")
		members := rapid.IntRange(1, 9).Draw(t, "members")
		var claims []claim
		before := make([]int, units)
		for u := range before {
			before[u] = rapid.IntRange(-1, members-1).Draw(t, "owner")
			if before[u] >= 0 {
				claims = append(claims, claim{unit: int32(u), member: before[u], generation: 7})
			}
		}
		after := place(units, tasks, members, claims)
		if int32(len(after)) != units {
			t.Fatalf("placed %d of %d units", len(after), units)
		}
		tasks = min(tasks, units)
		checkSpread(t, before[:tasks], after[:tasks], members)
		checkSpread(t, before[tasks:], after[tasks:], members)
	})
}

func checkSpread(t *rapid.T, before, after []int, members int) {
	count, owned, stayed := make([]int, members), make([]int, members), 0
	for u, m := range after {
		if m < 0 || m >= members {
			t.Fatalf("unit %d belongs to member %d of %d", u, m, members)
		}
		count[m]++
		if before[u] >= 0 {
			owned[before[u]]++
		}
		if before[u] == m {
			stayed++
		}
	}
	share, larger := len(after)/members, len(after)%members
	keep := 0
	for m := range count {
		if count[m] < share || count[m] > share+1 {
			t.Fatalf("member %d has %d units; the share is %d", m, count[m], share)
		}
		keep += min(owned[m], share)
		if owned[m] > share && larger > 0 {
			keep++
			larger--
		}
	}
	if stayed != keep {
		t.Fatalf("%d units stayed where %d could: before %v, after %v", stayed, keep, before, after)
	}
}

// A claim of an older generation loses to the one that came after it.
func TestPlaceStaleClaim(t *testing.T) {
	got := place(2, 2, 2, []claim{{0, 0, 5}, {1, 0, 5}, {0, 1, 6}, {1, 0, 6}})
	if got[0] != 1 || got[1] != 0 {
		t.Fatalf("owners are %v, want [1 0]", got)
	}
}

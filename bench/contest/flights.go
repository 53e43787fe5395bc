package contest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"traitstream/bench/workload"
)

// flights are events on their way from the producer to the reader of changes.
// Times are since the first event's turn.
type flights struct {
	from, to time.Duration // the window: events that are sent in it count

	mu      sync.Mutex
	all     map[workload.Event]flight
	counted int64 // events of the window
	landed  int64 // changes that were seen
}

type flight struct{ sent, seen time.Duration }

func newFlights(from, to time.Duration) *flights {
	return &flights{from: from, to: to, all: map[workload.Event]flight{}}
}

// counts tells whether what was sent at a time is in the window.
func (f *flights) counts(sent time.Duration) bool { return sent >= f.from && sent < f.to }

// sending notes an event. A repetition changes nothing, so the first one's time
// stays.
func (f *flights) sending(e workload.Event, at time.Duration) {
	e.Sent = 0
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts(at) {
		f.counted++
	}
	if _, repeats := f.all[e]; !repeats {
		f.all[e] = flight{sent: at, seen: -1}
	}
}

// landing notes that the change which came of an event was seen. Peers may put
// one out twice; the first counts.
func (f *flights) landing(e workload.Event, at time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, known := f.all[e]
	if !known {
		return fmt.Errorf("a change tells of %+v, which was not sent", e)
	}
	if one.seen < 0 {
		one.seen = at
		f.all[e] = one
		f.landed++
	}
	return nil
}

// seen is how many changes have landed.
func (f *flights) seen() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.landed
}

// took returns how long the changes of the window took, the shortest first, and
// how many events were sent in it.
func (f *flights) took() (all []time.Duration, events int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.seen >= 0 && f.counts(one.sent) {
			all = append(all, one.seen-one.sent)
		}
	}
	slices.Sort(all)
	return all, f.counted
}

// percentile returns the smallest of sorted values that is not below so large a
// share of them (nearest rank), 0 of none.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

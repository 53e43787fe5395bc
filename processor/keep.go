package processor

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"traitstream/fleet"
	"traitstream/schemas"
)

// keepInterval is how often markers are looked at that may be too old.
const keepInterval = time.Hour

// reach tells how far back the sources go.
type reach struct {
	wanted atomic.Bool  // a worker has markers that are old
	from   atomic.Int64 // the time of the first record of all, ms since 1970; 0: not known
}

// dropMarkers removes the markers that are older than state.keep_forgotten, of tasks
// that the transaction has read from, if no source reaches back before them.
func (w *worker) dropMarkers(now time.Time) {
	if now.Sub(w.kept) < keepInterval {
		return
	}
	before := now.Add(-w.o.Config.State.KeepForgotten).UnixMilli()
	from, used := w.o.reach.from.Load(), false
	for number, r := range w.removals {
		if r.oldest >= before {
			continue
		}
		if from == 0 {
			w.o.reach.wanted.Store(true)
			return // the next transaction may know
		}
		if used = true; w.hasPlace(r.task) {
			w.dropMarkersOf(number, r, before, from)
		}
	}
	w.kept = now
	if used { // another worker may have asked for it
		w.o.reach.from.Store(0)
	}
}

func (w *worker) dropMarkersOf(number int32, r *removals, before, from int64) {
	r.oldest, r.newest = math.MaxInt64, math.MinInt64
	for key, m := range r.markers {
		if m.At < before && m.Until < from {
			delete(r.markers, key)
			w.state.Set(number, schemas.AppendMarkerKey(nil, key), nil)
			continue
		}
		r.oldest, r.newest = min(r.oldest, m.At), max(r.newest, m.Until)
	}
}

// lookBack finds out how far back the sources go, where a worker wants to know.
func (o *Options) lookBack(ctx context.Context, m *fleet.Measurement) error {
	if !o.reach.wanted.Load() {
		return nil
	}
	first := int64(math.MaxInt64)
	for _, source := range o.Config.Sources {
		for number := range m.Start[source.Topic] {
			at, err := m.FirstTime(ctx, source.Topic, number)
			if err != nil {
				return fmt.Errorf("looking up how far back %s goes: %w", source.Topic, err)
			}
			first = min(first, at)
		}
	}
	o.reach.wanted.Store(false)
	o.reach.from.Store(first)
	return nil
}

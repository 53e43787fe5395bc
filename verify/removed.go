package verify

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/internal/oracle"
	"traitstream/schemas"
	"traitstream/trait"
)

// takenAway is what a task's changelog says of what was taken away: markers of what
// was forgotten, and the clock by which traits expire. The commands that have made
// them are gone from the inbox.
type takenAway struct {
	markers map[schemas.MarkerKey]int64 // until when they refuse
	clock   int64
	locals  map[string]*local // all of these records, by key
	// definitions are those that the task is computed by, where they ever changed.
	definitions *schemas.TaskDefinitions
}

func newTakenAway() takenAway {
	return takenAway{markers: map[schemas.MarkerKey]int64{}, locals: map[string]*local{}}
}

// taskRecord takes a record of the changelog that is of no trait.
func (p *pass) taskRecord(r *kgo.Record) {
	s := p.shards[r.Partition]
	if r.Value != nil {
		if err := schemas.CheckTaskRecord(r.Key, r.Value); err != nil {
			s.takeForeign(r, err)
			return
		}
	}
	delete(s.foreign, string(r.Key))
	if key, ok := schemas.ParseMarkerKey(r.Key); ok {
		delete(s.away.markers, key)
		if m, err := schemas.DecodeMarker(r.Value); err == nil {
			s.away.markers[key] = m.Until
		}
	} else if ms, err := schemas.DecodeClock(r.Value); err == nil && bytes.Equal(r.Key, schemas.ClockKey()) {
		if ms < s.away.clock {
			p.differRecord(at(r, WrongChangelog, fmt.Sprintf("the task's clock goes back from %d to %d", s.away.clock, ms)))
		}
		s.away.clock = ms
	}
	if d, err := schemas.DecodeTaskDefinitions(r.Value); err == nil && schemas.IsDefinitionsKey(r.Key) {
		s.away.definitions = &d
	}
	l := s.away.locals[string(r.Key)]
	if l == nil {
		l = &local{}
		s.away.locals[string(r.Key)] = l
	}
	l.logged(r.Offset < p.checkpoints[r.Partition].Next, r.Value, p.seed)
}

// forgotten tells whether an impression was seen before its trait was forgotten.
func (s *shard) forgotten(app string, k trait.Key, seenAt int64) bool {
	if len(s.away.markers) == 0 {
		return false
	}
	user := k
	user.Trait = nil
	for _, k := range []trait.Key{user, k} {
		if until, ok := s.away.markers[schemas.MarkerKeyOf(app, k)]; ok && seenAt <= until {
			return true
		}
	}
	return false
}

// expired tells whether an impression is so old that its trait would have expired.
func (s *shard) expired(of oracle.Sighting) bool {
	r := oracle.Removed{Clock: func(string) int64 { return s.away.clock }}
	return r.Expires(of)
}

// compareTaskRecords compares the local state with what the changelog said beside
// the traits.
func (p *pass) compareTaskRecords(task int32) error {
	locals := p.shards[task].away.locals
	for e, err := range p.o.Store.TaskRecords(task) {
		if err != nil {
			return err
		}
		l := locals[string(e.Key)]
		if l == nil {
			l = &local{}
			locals[string(e.Key)] = l
		}
		l.found = true
		if wrong := l.wrong(maphash.Bytes(p.seed, e.Value)); wrong != "" {
			p.wrongTaskRecord(e.Key, task, wrong)
		}
	}
	for key, l := range locals {
		if l.is == present && !l.found {
			p.wrongTaskRecord([]byte(key), task, lacking)
		}
	}
	return nil
}

func (p *pass) wrongTaskRecord(key []byte, task int32, what string) {
	p.differRecord(Difference{
		Kind: WrongState, Topic: p.o.Topics.Changelog.Name, Partition: task, Offset: p.checkpoints[task].Next,
		Message: fmt.Sprintf("the key %x: %s (task %d, checkpoint %d)", key, what, task, p.checkpoints[task].Next),
	})
}

// wrong tells what is wrong with a record of the local state, by its sum, if
// something is. A newer one alone is nothing wrong.
func (l *local) wrong(sum uint64) string {
	switch {
	case l.is == unheard && l.newer:
	case l.is == unheard, l.is == removed:
		return "it is in the local state, and not in the changelog before its checkpoint"
	case l.sum != sum:
		return "the local state is not what the changelog said at its checkpoint"
	}
	return ""
}

// addStale notes an impression that is so old that its trait would have expired. The
// sweep may not have come to it.
func (ev *evidence) addStale(r register, logged bool) {
	rec := ev.changelog()
	ev.stale = ev.stale || r.compare(registerIn(&rec)) == 0
	ev.away, ev.history.several = true, true
	if logged && r.compare(ev.logged) > 0 {
		ev.logged = r
	}
}

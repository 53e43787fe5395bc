package state

import (
	"bytes"

	"traitstream/schemas"
	"traitstream/trait"
)

// moveLog has the records whose times have moved in committed transactions, or in
// the open one, and of which neither changelog nor store has heard. They stay in
// memory until they are logged.
type moveLog struct {
	slots     []Slot // in the order in which they moved; some have been logged since
	first     int64  // the number of the first of them, counted from the overlay's begin
	committed int64  // the count when the last transaction committed
	pinned    int    // records that are not logged
}

func (m *moveLog) count() int64 { return m.first + int64(len(m.slots)) }

func (m *moveLog) add(slot Slot, e *entry) {
	if !e.unlogged {
		e.unlogged = true
		m.pinned++
		m.slots = append(m.slots, slot)
	}
}

func (m *moveLog) logged(e *entry) {
	if e.unlogged {
		e.unlogged = false
		m.pinned--
	}
}

// drop forgets the first n.
func (m *moveLog) drop(n int) {
	m.slots = m.slots[:copy(m.slots, m.slots[n:])]
	m.first += int64(n)
}

// Move merges what was seen into the record of a loaded slot where that takes no
// more than its time: what was seen is what is there, or came before it. It is
// trait.Record.Merge for most impressions, without the record, and Touch where
// it is needed. It returns false, and has done nothing, where it can't tell, and
// where key and record have more than some bytes.
func (o *Overlay) Move(slot Slot, in *trait.Register, most int) (trait.Outcome, bool) {
	outcome, ok := o.move(slot, in, most)
	if outcome == trait.Same && ok {
		o.Touch(slot)
	}
	return outcome, ok
}

// MoveUnlogged is Move without Touch: a record that has moved becomes a part of
// no transaction before Log. Until then it is in this overlay alone, which keeps
// it; after an aborted transaction it is to be found out anew.
func (o *Overlay) MoveUnlogged(slot Slot, in *trait.Register, most int) (trait.Outcome, bool) {
	outcome, ok := o.move(slot, in, most)
	if outcome == trait.Same && ok {
		if e := o.young.entries.at(slot); !e.dirty {
			o.moves.add(slot, e)
		}
	}
	return outcome, ok
}

func (o *Overlay) move(slot Slot, in *trait.Register, most int) (trait.Outcome, bool) {
	e := o.young.entries.at(slot)
	if e.record != 0 || e.valueLen == 0 || int(e.keyLen)+int(e.valueLen) > most {
		return 0, false
	}
	if in.SeenAt < e.seenAt || in.SeenAt == e.seenAt && in.Version < e.version {
		return trait.Late, true
	}
	last, ok := schemas.LastSeen(o.young.value(e))
	if !ok || in.Value == nil || !bytes.Equal(in.Treatment, last.Treatment) || !bytes.Equal(in.Value, last.Value) {
		return 0, false
	}
	if in.SeenAt == e.seenAt && in.Version == e.version {
		return trait.Duplicate, true
	}
	e.seenAt, e.version, e.moved = in.SeenAt, in.Version, true
	return trait.Same, true
}

// Moves counts how often a record has become an unlogged one, from the overlay's
// begin: Log takes such a count.
func (o *Overlay) Moves() int64 { return o.moves.count() }

// Logged is the count up to which Log was called.
func (o *Overlay) Logged() int64 { return o.moves.first }

// Log makes the moves before a count a part of the open transaction, as far as
// nothing has logged them since.
func (o *Overlay) Log(before int64) {
	n := int(min(before, o.moves.count()) - o.moves.first)
	if n <= 0 {
		return
	}
	for _, slot := range o.moves.slots[:n] {
		if e := o.young.entries.at(slot); e.unlogged && o.hold(e.task) == e.epoch {
			o.touch(slot, e)
		}
	}
	o.moves.drop(min(n, len(o.moves.slots))) // a hold may have forgotten some
}

// Crowded tells that unlogged moves keep the overlay from forgetting what it has
// no room for.
func (o *Overlay) Crowded() bool {
	return o.moves.pinned > 0 && o.young.bytes() > o.s.opts.RecordBytes/2
}

// Adopt takes over the unlogged moves of another overlay, which is of no use
// after that, as those of committed transactions.
func (o *Overlay) Adopt(other *Overlay) {
	for _, slot := range other.moves.slots {
		e := other.young.entries.at(slot)
		if e.unlogged {
			o.adopt(e, other.key(slot), other.young.value(e))
		}
	}
	o.moves.committed = o.moves.count()
}

func (o *Overlay) adopt(from *entry, key, value []byte) {
	epoch := o.hold(from.task)
	hash := o.young.index.hash(key)
	slot, ok := o.young.find(hash, key)
	if !ok {
		slot, _ = o.young.add(hash, key)
	}
	e := o.young.entries.at(slot)
	e.task, e.epoch = from.task, epoch
	o.young.setValue(e, value)
	e.seenAt, e.version, e.moved = from.seenAt, from.version, true
	o.moves.add(slot, e)
}

func (o *Overlay) hasMoves(task int32) bool {
	for _, slot := range o.moves.slots {
		if e := o.young.entries.at(slot); e.task == task && e.unlogged {
			return true
		}
	}
	return false
}

// forgetMoves drops the unlogged moves of a task.
func (o *Overlay) forgetMoves(task int32) {
	for _, slot := range o.moves.slots {
		if e := o.young.entries.at(slot); e.task == task {
			o.moves.logged(e)
		}
	}
}

// dropMoves drops all of them, with the generation that they are in.
func (o *Overlay) dropMoves() {
	o.moves.drop(len(o.moves.slots))
	o.moves.pinned, o.moves.committed = 0, o.moves.count()
}

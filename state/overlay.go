package state

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"traitstream/schemas"
	"traitstream/trait"
)

// Slot names a record of an overlay until the next Apply or Reset.
type Slot int32

// Overlay is an open transaction's view of the store: the records that it
// wanted, with its changes. Nothing reaches the store before Apply.
//
// Its use goes in rounds: Want for each key, Load once, then Record and Touch.
// Records stay where they are until Apply or Reset, so pointers to them may be
// kept that long. A record that the caller changes may point into the caller's
// memory; that memory must hold until Dirty has yielded the record, or until
// Apply. Strings and slices that were loaded belong to the overlay.
//
// An overlay belongs to one worker and is not safe for concurrent use. It grows
// with the keys of a transaction and keeps at most some 25 MiB between them.
type Overlay struct {
	s       *Store
	index   index
	entries entries
	arena   arena
	missing []Slot // wanted, not yet loaded
	dirty   []Slot
	sorted  bool // dirty is in key order
	batch   *Batch
	scratch []byte
}

// NewOverlay returns an empty overlay over the store.
func (s *Store) NewOverlay() *Overlay {
	return &Overlay{s: s, index: newIndex(), batch: s.NewBatch()}
}

// Want returns the slot of a task's key, a new one if the transaction has not
// wanted it before. The key is copied.
func (o *Overlay) Want(task int32, k trait.Key) Slot {
	o.scratch = appendRecordKey(o.scratch[:0], task, k)
	hash := o.index.hash(o.scratch)
	if slot, ok := o.index.find(hash, o.scratch, o.key); ok {
		return slot
	}
	slot := o.entries.add(entry{task: task, key: o.arena.copy(o.scratch)})
	o.index.add(hash, slot)
	o.missing = append(o.missing, slot)
	return slot
}

// Load reads the records of all slots that were wanted since the last Load, in
// key order.
func (o *Overlay) Load() error {
	if len(o.missing) == 0 {
		return nil
	}
	if err := o.s.fuse.err(); err != nil {
		return err
	}
	o.sort(o.missing)
	it, err := o.s.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{kindRecord}, UpperBound: []byte{kindRecord + 1},
		UseL6Filters: true, // nearly all keys are there, and new users are not
	})
	if err != nil {
		return fmt.Errorf("reading state: %w", o.s.explain(err))
	}
	err = o.loadFrom(it)
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("reading state: %w", o.s.explain(err))
	}
	o.missing = o.missing[:0]
	return nil
}

func (o *Overlay) loadFrom(it *pebble.Iterator) error {
	for _, slot := range o.missing {
		e := o.entries.at(slot)
		// The whole key is the prefix: it is there or not, and a filter mostly
		// knows. The iterator goes on from the key before.
		if !it.SeekPrefixGE(e.key) {
			continue // not there, or an error that Close returns
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := schemas.DecodeRecord(o.arena.copy(value), &e.record); err != nil {
			return fmt.Errorf("a record of task %d: %w", e.task, err)
		}
	}
	return nil
}

// Record returns the record of a loaded slot, a zero one if the store has none.
// The caller may change it, and calls Touch then.
func (o *Overlay) Record(slot Slot) *trait.Record { return &o.entries.at(slot).record }

// Touch marks a record as changed.
func (o *Overlay) Touch(slot Slot) {
	e := o.entries.at(slot)
	e.value = nil
	if !e.dirty {
		e.dirty = true
		o.dirty = append(o.dirty, slot)
		o.sorted = false
	}
}

// Dirty yields the changed records, encoded, in key order. The entries hold
// until Apply or Reset.
func (o *Overlay) Dirty() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		o.sortDirty()
		for _, slot := range o.dirty {
			e := o.entries.at(slot)
			if !yield(Entry{Task: e.task, Key: e.key[prefixLen:], Value: o.encoded(e)}) {
				return
			}
		}
	}
}

// Apply writes the changed records and the checkpoints of their tasks as one
// batch, then empties the overlay. It refuses changes of a task without a
// checkpoint, and a checkpoint before the stored one.
func (o *Overlay) Apply(cps map[int32]Checkpoint) error {
	o.sortDirty()
	for _, slot := range o.dirty {
		e := o.entries.at(slot)
		if _, ok := cps[e.task]; !ok {
			return fmt.Errorf("writing state: task %d has changes but no checkpoint", e.task)
		}
	}
	for _, slot := range o.dirty {
		e := o.entries.at(slot)
		o.batch.set(e.key, o.encoded(e))
	}
	for task, cp := range cps {
		o.batch.SetCheckpoint(task, cp)
	}
	if err := o.batch.Commit(); err != nil {
		return err
	}
	o.Reset()
	return nil
}

// Reset drops everything, as after an aborted transaction. It keeps memory for
// the next one, up to a bound.
func (o *Overlay) Reset() {
	o.index.reset()
	o.entries.reset()
	o.arena.reset()
	o.missing, o.dirty, o.sorted = o.missing[:0], o.dirty[:0], false
}

// encoded returns the value of an entry, encoding it the first time.
func (o *Overlay) encoded(e *entry) []byte {
	if e.value == nil {
		o.scratch = schemas.AppendRecord(o.scratch[:0], &e.record)
		e.value = o.arena.copy(o.scratch)
	}
	return e.value
}

func (o *Overlay) key(slot Slot) []byte { return o.entries.at(slot).key }

// sortDirty puts the changes into key order, in which Pebble takes them best.
func (o *Overlay) sortDirty() {
	if !o.sorted {
		o.sort(o.dirty)
		o.sorted = true
	}
}

func (o *Overlay) sort(slots []Slot) {
	slices.SortFunc(slots, func(a, b Slot) int { return bytes.Compare(o.key(a), o.key(b)) })
}

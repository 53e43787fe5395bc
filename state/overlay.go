package state

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"

	"traitstream/schemas"
	"traitstream/trait"
)

// Slot names a record of an overlay until the next Commit, Apply or Reset.
type Slot int32

// Overlay is a worker's view of the store: the records that its open transaction
// wants, with its changes, and those that earlier ones wanted, as far as there
// is room. Nothing reaches the store before Store.
//
// Its use goes in rounds: Want for each key, Load once, then Move or MoveUnlogged,
// or Record and Touch. Records stay where they are until Dirty, Commit or Reset, so pointers to
// them may be kept that long. A record that the caller changes may point into
// the caller's memory; that memory must hold until Dirty has yielded the record,
// or until Commit. Strings and slices that were loaded belong to the overlay.
//
// An overlay belongs to one worker and is not safe for concurrent use. It grows
// with the keys of a transaction; between them it keeps what Options.RecordBytes
// says, and no more than half as much again, if Log is called when it is Crowded.
type Overlay struct {
	s       *Store
	young   *generation // with what the open transaction wants
	old     *generation
	tasks   map[int32]*heldTask
	last    *heldTask // the one that was wanted last
	open    uint32    // the number of the transaction
	missing []Slot    // wanted, not yet loaded
	dirty   []Slot
	records records
	decoded []Slot // the entries that have a record
	moves   moveLog
	// What was committed and waits for the store.
	waiting      []Slot
	waitingBytes int
	waitingUsers []uint32 // hashes of the first of them, for Known
	cps          map[int32]Checkpoint
	batch        *Batch
	scratch      []byte
	round        round
	heads        []headed
	record       trait.Record // for what is not kept
	err          error        // of a task that was taken
}

// NewOverlay returns an empty overlay over the store.
func (s *Store) NewOverlay() *Overlay {
	seed := maphash.MakeSeed()
	return &Overlay{
		s: s, young: newGeneration(seed), old: newGeneration(seed),
		tasks: map[int32]*heldTask{}, open: 1, cps: map[int32]Checkpoint{}, batch: s.NewBatch(),
	}
}

// Want returns the slot of a task's key, a new one if the transaction has not
// wanted it before. The key is copied.
func (o *Overlay) Want(task int32, k trait.Key) Slot {
	o.scratch = appendRecordKey(o.scratch[:0], task, k)
	return o.want(task, o.young.index.hash(o.scratch), o.scratch)
}

func (o *Overlay) want(task int32, hash uint32, key []byte) Slot {
	epoch := o.hold(task)
	if slot, ok := o.young.find(hash, key); ok {
		if e := o.young.entries.at(slot); e.epoch != epoch {
			e.epoch, e.valueLen, e.moved = epoch, 0, false
			o.missing = append(o.missing, slot)
		}
		return slot
	}
	slot, e := o.young.add(hash, key)
	e.task, e.epoch = task, epoch
	if !o.keep(hash, key, e) {
		o.missing = append(o.missing, slot)
	}
	return slot
}

// keep takes an entry over from the generation before, if it is there.
func (o *Overlay) keep(hash uint32, key []byte, e *entry) bool {
	slot, ok := o.old.find(hash, key)
	if !ok {
		return false
	}
	before := o.old.entries.at(slot)
	if before.epoch != e.epoch {
		return false
	}
	e.seenAt, e.version = before.seenAt, before.version
	o.young.setValue(e, o.old.value(before))
	return true
}

// Load reads the records of all slots that were wanted since the last Load and
// are not here yet, in key order.
func (o *Overlay) Load() error {
	if len(o.missing) == 0 {
		return nil
	}
	if err := o.skipAbsent(); err != nil {
		return err
	}
	o.sort(o.missing)
	if err := o.s.readSorted(len(o.missing), func(i int) []byte { return o.key(o.missing[i]) }, o.loaded); err != nil {
		return err
	}
	o.missing = o.missing[:0]
	return nil
}

// loaded takes the value of a missing slot.
func (o *Overlay) loaded(i int, value []byte) error {
	e := o.young.entries.at(o.missing[i])
	if err := schemas.DecodeRecord(value, &o.record); err != nil {
		return fmt.Errorf("a record of task %d: %w", e.task, err)
	}
	e.seenAt, e.version = o.record.Seen.SeenAt, o.record.Seen.Version
	o.young.setValue(e, value)
	return nil
}

// Record returns the record of a loaded slot, a zero one if the store has none.
// The caller may change it, and calls Touch then.
func (o *Overlay) Record(slot Slot) *trait.Record {
	e := o.young.entries.at(slot)
	if e.record == 0 {
		e.record = o.records.add() + 1
		o.decoded = append(o.decoded, slot)
		o.decode(e, o.records.at(e.record-1))
	}
	return o.records.at(e.record - 1)
}

// decode reads an entry's record, as it is now.
func (o *Overlay) decode(e *entry, r *trait.Record) {
	if e.valueLen == 0 {
		*r = trait.Record{}
		return
	}
	last := &o.record.Emitted.Facts // texts that most records share
	r.Emitted.Facts.Definition, r.Emitted.Facts.Place.Topic = last.Definition, last.Place.Topic
	if err := schemas.DecodeRecord(o.young.value(e), r); err != nil {
		panic("state: a record that was read before is damaged in memory: " + err.Error())
	}
	last.Definition, last.Place.Topic = r.Emitted.Facts.Definition, r.Emitted.Facts.Place.Topic
	r.Seen.SeenAt, r.Seen.Version = e.seenAt, e.version
}

// Touch marks a record as changed.
func (o *Overlay) Touch(slot Slot) { o.touch(slot, o.young.entries.at(slot)) }

func (o *Overlay) touch(slot Slot, e *entry) {
	if !e.dirty {
		e.dirty = true
		o.dirty = append(o.dirty, slot)
	}
}

// Dirty yields the changed records, encoded; one that was removed has a nil value.
// The entries hold until Commit or Reset.
func (o *Overlay) Dirty() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		o.encode()
		for _, slot := range o.dirty {
			e := o.young.entries.at(slot)
			entry := Entry{Task: e.task, Key: o.key(slot)[prefixLen:]}
			if e.valueLen > 0 {
				entry.Value = o.young.value(e)
			}
			if !yield(entry) {
				return
			}
		}
	}
}

// encode encodes the changes that are not.
func (o *Overlay) encode() {
	for _, slot := range o.dirty {
		e := o.young.entries.at(slot)
		switch {
		case e.record != 0:
			r := o.records.at(e.record - 1)
			if r.Absent() { // removed, and looked at since
				continue
			}
			o.scratch = schemas.AppendRecord(o.scratch[:0], r)
			e.seenAt, e.version = r.Seen.SeenAt, r.Seen.Version
		case e.moved:
			o.scratch, _ = schemas.AppendMoved(o.scratch[:0], o.young.value(e), e.seenAt, e.version) // LastSeen told of it
		default:
			continue // encoded before
		}
		e.moved = false
		o.young.setValue(e, o.scratch)
	}
	o.forgetRecords()
}

// forgetRecords lets go of the decoded records, which may point to others'
// memory or to values that were encoded anew.
func (o *Overlay) forgetRecords() {
	for _, slot := range o.decoded {
		o.young.entries.at(slot).record = 0
	}
	o.decoded = o.decoded[:0]
	o.records.reset(keptBlocks)
}

// Commit takes what the transaction has changed for committed, with the
// checkpoints of their tasks, and begins the next one; the store gets it with the
// next Store. It refuses changes of a task without a checkpoint.
func (o *Overlay) Commit(cps map[int32]Checkpoint) error {
	for _, slot := range o.dirty {
		e := o.young.entries.at(slot)
		if _, ok := cps[e.task]; !ok {
			return fmt.Errorf("writing state: task %d has changes but no checkpoint", e.task)
		}
	}
	o.encode()
	for _, slot := range o.dirty {
		e := o.young.entries.at(slot)
		e.dirty = false
		o.moves.logged(e)
		if !e.waits {
			e.waits = true
			o.waiting = append(o.waiting, slot)
			o.waitingBytes += int(e.keyLen + e.valueLen)
		}
	}
	for task, cp := range cps {
		o.hold(task)
		o.cps[task] = cp
	}
	o.dirty = o.dirty[:0]
	o.moves.committed = o.moves.count()
	o.Reset()
	return nil
}

// storeBytes is about how much waits for the store at most, in bytes. More at a
// time is written with less effort a record, and records that change often are
// written less often; but a restart after a crash reads it from the changelog.
const storeBytes = 16 << 20

// Full tells that it is time for Store.
func (o *Overlay) Full() bool {
	return o.waitingBytes >= storeBytes || o.young.bytes() > o.s.opts.RecordBytes/2
}

// Store writes what was committed since the last time, with the checkpoints, as
// one batch. It leaves out tasks that others have wanted or written to meanwhile,
// and refuses a checkpoint before the stored one.
func (o *Overlay) Store() error {
	for task, cp := range o.cps {
		if o.s.holders.has(task, o) {
			o.batch.SetCheckpoint(task, cp)
		} else {
			o.lose(task)
		}
	}
	if len(o.cps) == 0 {
		o.nothingWaits()
		return nil
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(slot Slot) bool { return !o.young.entries.at(slot).waits })
	o.sort(o.waiting)
	for rest := o.waiting; len(rest) > 0; {
		run := o.run(rest)
		rest = rest[len(run):]
		o.s.absences.writes(o.young.entries.at(run[0]).task).expect(run, o.key)
		for _, slot := range run {
			e := o.young.entries.at(slot)
			if e.valueLen > 0 {
				o.batch.put(e.task, o.key(slot), o.young.value(e))
			} else {
				o.batch.remove(o.key(slot))
			}
			e.waits = false
		}
	}
	o.nothingWaits()
	return o.batch.Commit()
}

func (o *Overlay) nothingWaits() {
	o.waiting, o.waitingBytes, o.waitingUsers = o.waiting[:0], 0, o.waitingUsers[:0]
	clear(o.cps)
}

// Forget drops what a task has waiting for the store or unlogged, since it is no
// longer here or was restored anew.
func (o *Overlay) Forget(task int32) {
	delete(o.cps, task)
	for _, slot := range o.waiting {
		if e := o.young.entries.at(slot); e.task == task {
			e.waits = false
		}
	}
	o.forgetMoves(task)
	if t := o.tasks[task]; t != nil {
		t.epoch++
	}
}

// Apply is Commit and Store.
func (o *Overlay) Apply(cps map[int32]Checkpoint) error {
	if err := o.Commit(cps); err != nil {
		return err
	}
	return o.Store()
}

// Reset drops what the transaction has changed, as after one that was aborted,
// and begins the next one.
func (o *Overlay) Reset() {
	limit := o.s.opts.RecordBytes / 2
	o.forgetRecords()
	for _, slot := range o.missing {
		if e := o.young.entries.at(slot); !e.waits {
			e.epoch-- // it is to be loaded when it is wanted again
		}
	}
	switch {
	case len(o.dirty) > 0, o.moves.committed < o.moves.count(): // so what is here is not what was committed
		o.dropMoves()
		o.young.reset(limit)
		o.old.reset(limit)
		o.nothingWaits()
	case o.young.bytes() > limit && len(o.cps) == 0 && o.moves.pinned == 0:
		o.dropMoves()    // they have all been logged
		o.nothingWaits() // what did was forgotten
		o.old.reset(limit)
		o.young, o.old = o.old, o.young
		if o.old.bytes() > 2*limit { // one large transaction
			o.old.reset(limit)
		}
	}
	o.missing, o.dirty = o.missing[:0], o.dirty[:0]
	o.open++
}

func (o *Overlay) key(slot Slot) []byte { return o.young.key(slot) }

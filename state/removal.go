package state

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// Set sets what a task remembers beside its traits, under its state key, in the
// open transaction; a nil value removes it. It is not read through the overlay.
func (o *Overlay) Set(task int32, key, value []byte) {
	epoch := o.hold(task)
	o.scratch = append(appendTask(o.scratch[:0], kindRecord, task), key...)
	hash := o.young.index.hash(o.scratch)
	slot, ok := o.young.find(hash, o.scratch)
	if !ok {
		slot, _ = o.young.add(hash, o.scratch)
	}
	e := o.young.entries.at(slot)
	e.task, e.epoch = task, epoch
	o.young.setValue(e, value)
	o.touch(slot, e)
}

// WantState is Want by a state key.
func (o *Overlay) WantState(task int32, key []byte) Slot {
	o.scratch = append(appendTask(o.scratch[:0], kindRecord, task), key...)
	return o.want(task, o.young.index.hash(o.scratch), o.scratch)
}

// Remove removes the record of a loaded slot in the open transaction. Whoever
// wants it after that gets a zero one.
func (o *Overlay) Remove(slot Slot) {
	e := o.young.entries.at(slot)
	e.record, e.valueLen, e.moved = 0, 0, false
	e.seenAt, e.version = 0, 0
	o.moves.logged(e)
	o.touch(slot, e)
}

// Key returns the key of a slot's trait, which holds until Commit or Reset.
func (o *Overlay) Key(slot Slot) (trait.Key, error) {
	return schemas.DecodeStateKey(o.key(slot)[prefixLen:])
}

// User names somebody of a task.
type User struct {
	Identity impression.Identity
	ID       string
}

// WantUsers wants all records that users of a task have, loads them, and calls
// found with the place in the list of the user and the slot of each. What is in the
// store is found there; what has come since is among the changes.
func (o *Overlay) WantUsers(task int32, users []User, found func(i int, slot Slot)) error {
	places := map[string]int{}
	prefixes := make([][]byte, len(users))
	for i, u := range users {
		prefixes[i] = schemas.UserPrefix(appendTask(nil, kindRecord, task), u.Identity, []byte(u.ID))
		places[string(prefixes[i])] = i
	}
	slots := map[Slot]int{}
	for _, list := range [][]Slot{o.dirty, o.waiting} {
		for _, slot := range list {
			key := o.key(slot)
			if i, ok := places[string(key[:prefixLen+len(schemas.UserPart(key[prefixLen:]))])]; ok {
				slots[slot] = i
			}
		}
	}
	for slot := range slots { // of a task that was taken it may count no more
		o.WantState(task, bytes.Clone(o.key(slot)[prefixLen:]))
	}
	err := o.s.withPrefixes(prefixes, func(i int, key []byte) {
		slots[o.WantState(task, key[prefixLen:])] = i
	})
	if err != nil {
		return err
	}
	if err := o.Load(); err != nil {
		return err
	}
	all := make([]Slot, 0, len(slots))
	for slot := range slots {
		all = append(all, slot)
	}
	o.sort(all)
	for _, slot := range all {
		found(slots[slot], slot)
	}
	return nil
}

// withPrefixes calls fn for each key with one of some prefixes.
func (s *Store) withPrefixes(prefixes [][]byte, fn func(i int, key []byte)) error {
	if err := s.fuse.err(); err != nil {
		return err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindRecord}, UpperBound: []byte{kindRecord + 1}})
	if err != nil {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	for i, prefix := range prefixes {
		for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
			fn(i, it.Key())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	return nil
}

// scanTraits is scan for the records of traits.
func (s *Store) scanTraits(task int32, fn func(Entry) bool) error {
	lower, _ := taskRange(task)
	return s.scanRange(task, lower, firstTaskRecord(task), fn)
}

// TaskRecords yields what a task remembers beside its traits, in the order of keys.
// An entry holds until the next one. An error is the last that it yields.
func (s *Store) TaskRecords(task int32) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		_, upper := taskRange(task)
		err := s.scanRange(task, firstTaskRecord(task), upper, func(e Entry) bool { return yield(e, nil) })
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// firstTaskRecord is where a task's traits end.
func firstTaskRecord(task int32) []byte {
	return append(appendTask(nil, kindRecord, task), schemas.FirstTaskKey)
}

// Page calls fn for a task's records behind a state key, or from the first one on,
// until it returns false, and returns the key of the last one; nil says that there
// are no more. An entry holds during the call.
func (s *Store) Page(task int32, behind []byte, fn func(Entry) bool) (last []byte, err error) {
	lower := appendTask(nil, kindRecord, task)
	if behind != nil {
		lower = append(append(lower, behind...), 0)
	}
	err = s.scanRange(task, lower, firstTaskRecord(task), func(e Entry) bool {
		if fn(e) {
			return true
		}
		last = slices.Clone(e.Key)
		return false
	})
	return last, err
}

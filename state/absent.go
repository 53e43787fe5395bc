package state

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// absences knows keys that the store does not have, without a look at it. It
// knows that of tasks that had no records when one of theirs was first looked up:
// whoever writes to a task since tells of the keys, so what was never told is
// nowhere. Of users who are new nearly all keys are.
type absences struct {
	seed  maphash.Seed
	limit int64 // bytes of all filters
	used  atomic.Int64

	mu    sync.Mutex
	tasks map[int32]*taskKeys
}

// absenceShare is the part of CacheBytes that the filters may have in addition.
const absenceShare = 8

func newAbsences(cacheBytes int64) absences {
	return absences{seed: maphash.MakeSeed(), limit: cacheBytes / absenceShare, tasks: map[int32]*taskKeys{}}
}

// taskKeys are the keys that a task has in the store, if they are known. A worker
// that has lost the task may still look them up, so there is a lock.
type taskKeys struct {
	all *absences

	mu     sync.Mutex
	known  bool
	filter filter
}

// keysOf returns what is known of a task's keys. The first time, it looks whether
// there are any.
func (s *Store) keysOf(task int32) (*taskKeys, error) {
	a := &s.absences
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.tasks[task]
	if k == nil {
		none := true
		if err := s.scanTraits(task, func(Entry) bool { none = false; return false }); err != nil {
			return nil, err
		}
		k = a.set(task, none)
	}
	return k, nil
}

// writes returns what is known of the keys of a task that is about to be written
// to: of one that was never looked at, nothing can be.
func (a *absences) writes(task int32) *taskKeys {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.tasks[task]; k != nil {
		return k
	}
	return a.set(task, false)
}

func (a *absences) set(task int32, known bool) *taskKeys {
	k := &taskKeys{all: a, known: known}
	a.tasks[task] = k
	return k
}

// dropped begins anew with a task that has no records any more.
func (a *absences) dropped(task int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.tasks[task]; k != nil {
		k.forget()
		delete(a.tasks, task)
	}
}

// enters notes a key before the store gets it. Where that takes more memory than
// there is, nothing is known any more.
func (k *taskKeys) enters(key []byte) {
	hash := maphash.Bytes(k.all.seed, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known || k.filter.add(hash) {
		return
	}
	if next := k.filter.next(); k.all.used.Add(int64(next)) <= k.all.limit {
		k.filter.grow(next)
		k.filter.add(hash)
	} else {
		k.all.used.Add(-int64(next))
		k.drop()
	}
}

// forget says that keys have come that were not told.
func (k *taskKeys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
}

func (k *taskKeys) drop() {
	k.all.used.Add(-int64(k.filter.bytes()))
	k.known, k.filter = false, filter{}
}

// skipAbsent takes what the store does not have out of what is missing.
func (o *Overlay) skipAbsent() error {
	kept := o.missing[:0]
	for rest := o.missing; len(rest) > 0; {
		run := o.run(rest)
		t := o.tasks[o.young.entries.at(run[0]).task]
		if t.keys == nil {
			var err error
			if t.keys, err = o.s.keysOf(t.task); err != nil {
				return err
			}
		}
		rest = rest[len(run):]
		kept = t.keys.appendPresent(kept, run, o.key)
	}
	o.missing = kept
	return nil
}

// run returns those of the first slots that are of one task, a round at most.
func (o *Overlay) run(slots []Slot) []Slot {
	task, n := o.young.entries.at(slots[0]).task, 1
	for n < min(len(slots), roundKeys) && o.young.entries.at(slots[n]).task == task {
		n++
	}
	return slots[:n]
}

// hashed are the hashes of a round's keys.
type hashed [roundKeys]uint64

func (k *taskKeys) hash(h *hashed, slots []Slot, key func(Slot) []byte) []uint64 {
	for i, slot := range slots {
		h[i] = maphash.Bytes(k.all.seed, key(slot))
	}
	return h[:len(slots)]
}

// appendPresent appends those of a round's slots that the store may have.
func (k *taskKeys) appendPresent(dst, slots []Slot, key func(Slot) []byte) []Slot {
	var h hashed
	hashes := k.hash(&h, slots, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known {
		return append(dst, slots...)
	}
	k.filter.touch(hashes)
	for i, slot := range slots {
		if k.filter.has(hashes[i]) {
			dst = append(dst, slot)
		}
	}
	return dst
}

// expect asks memory for what enters will look at with a round's keys.
func (k *taskKeys) expect(slots []Slot, key func(Slot) []byte) {
	var h hashed
	hashes := k.hash(&h, slots, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.filter.touch(hashes)
}

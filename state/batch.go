package state

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Batch collects writes that take effect together, or not at all. It is not
// safe for concurrent use.
type Batch struct {
	s    *Store
	b    *pebble.Batch
	cps  map[int32]Checkpoint
	key  []byte
	task int32     // that was written to last
	keys *taskKeys // of that; nil: none was
	err  error     // the first of a write into the batch
}

// keptBatch is how much memory a batch keeps for its next use, in bytes: a
// transaction's changes.
const keptBatch = 4 << 20

// NewBatch returns an empty batch.
func (s *Store) NewBatch() *Batch {
	return &Batch{s: s, b: s.newBatch(), cps: map[int32]Checkpoint{}}
}

func (s *Store) newBatch() *pebble.Batch {
	return s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(keptBatch))
}

// Put sets the record under a task's state key. Both slices are copied.
func (b *Batch) Put(task int32, key, value []byte) {
	b.s.holders.take(task, nil)
	b.put(task, b.recordKey(task, key), value)
}

// put sets a record under the whole of its key.
func (b *Batch) put(task int32, key, value []byte) {
	if b.keys == nil || b.task != task {
		b.task, b.keys = task, b.s.absences.writes(task)
	}
	b.keys.enters(key)
	b.set(key, value)
}

// Delete removes the record under a task's state key.
func (b *Batch) Delete(task int32, key []byte) {
	b.s.holders.take(task, nil)
	b.note(b.b.Delete(b.recordKey(task, key), nil))
}

// remove removes the record under the whole of its key.
func (b *Batch) remove(key []byte) { b.note(b.b.Delete(key, nil)) }

// SetCheckpoint sets a task's checkpoint. The last one of a batch counts.
func (b *Batch) SetCheckpoint(task int32, cp Checkpoint) { b.cps[task] = cp }

// Size returns how many bytes the batch holds. One of a few MiB is written
// fastest; 1 GiB is beyond what it takes.
func (b *Batch) Size() int { return b.b.Len() }

// Commit writes the batch, without waiting for the disk, and empties it for the
// next use, also after an error. It refuses a checkpoint before the stored one.
func (b *Batch) Commit() error {
	err := b.commit()
	clear(b.cps)
	b.keys, b.err = nil, nil
	if err != nil {
		// The old one may still be in use by a write that was given up.
		b.b = b.s.newBatch()
		return fmt.Errorf("writing state: %w", err)
	}
	b.b.Reset()
	return nil
}

func (b *Batch) commit() error {
	for task, cp := range b.cps {
		if err := b.s.check(task, cp); err != nil {
			return err
		}
		b.key = appendTask(b.key[:0], kindCheckpoint, task)
		b.set(b.key, encodeCheckpoint(cp))
	}
	if b.err != nil {
		return b.err
	}
	batch := b.b
	return b.s.fuse.run(func() error { return batch.Commit(pebble.NoSync) })
}

func (b *Batch) recordKey(task int32, key []byte) []byte {
	b.key = append(appendTask(b.key[:0], kindRecord, task), key...)
	return b.key
}

func (b *Batch) set(key, value []byte) { b.note(b.b.Set(key, value, nil)) }

func (b *Batch) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// ingestFrom is the size of a chunk, in bytes, from which a table of its own is
// quicker than the log.
const ingestFrom = 4 << 20

// Loader brings a task's changelog into the store, in chunks. A chunk and its
// checkpoint become visible together, and what a crash leaves is a prefix of
// the chunks. It belongs to one goroutine; loaders of different tasks work side
// by side. While it is in use, nobody else writes to the task.
type Loader struct {
	s          *Store
	task       int32
	maxBytes   int
	ingestFrom int // bytes; tests set it
	prefix     []byte
	chunk      *chunk
	err        error // of the flush that failed; what it held is lost
}

// NewLoader returns a loader of a task that buffers about maxBytes, in bytes,
// with its own bookkeeping.
func (s *Store) NewLoader(task int32, maxBytes int) *Loader {
	c, ok := s.chunks.Get().(*chunk)
	if !ok {
		c = new(chunk)
	}
	return &Loader{
		s: s, task: task, maxBytes: maxBytes, ingestFrom: ingestFrom,
		prefix: appendTask(nil, kindRecord, task), chunk: c,
	}
}

// Put sets the record under a state key. Both slices are copied. The last
// change of a key counts.
func (l *Loader) Put(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	l.chunk.add(l.prefix, key, value)
}

// Delete removes the record under a state key.
func (l *Loader) Delete(key []byte) { l.chunk.add(l.prefix, key, nil) }

// Size returns how many bytes are buffered.
func (l *Loader) Size() int { return l.chunk.size }

// Full tells that it is time to flush.
func (l *Loader) Full() bool { return l.chunk.size >= l.maxBytes }

// Flush writes what was added since the last flush, with the checkpoint up to
// which that is complete, and empties the loader for the next chunk. It refuses
// a checkpoint before the stored one. After an error the loader is of no use.
func (l *Loader) Flush(cp Checkpoint) error {
	if l.err == nil {
		if err := l.flush(cp); err != nil {
			l.err = fmt.Errorf("loading state of task %d: %w", l.task, err)
			l.chunk = new(chunk) // the old one may still be in use by a write that was given up
		}
	}
	l.chunk.reset()
	return l.err
}

func (l *Loader) flush(cp Checkpoint) error {
	if err := l.s.check(l.task, cp); err != nil {
		return err
	}
	c := l.chunk
	c.sort()
	defer l.s.holders.take(l.task, nil)
	return l.s.fuse.run(func() error {
		if len(c.changes) == 0 || c.size < l.ingestFrom {
			return l.s.commitChunk(l.task, c, cp)
		}
		return l.s.ingestChunk(l.task, c, cp)
	})
}

// commitChunk writes a small chunk through the log.
func (s *Store) commitChunk(task int32, c *chunk, cp Checkpoint) error {
	b := s.db.NewBatchWithSize(c.size + 1<<10)
	keys := s.absences.writes(task)
	err := c.write(
		func(key, value []byte) error {
			keys.enters(key)
			return b.Set(key, value, nil)
		},
		func(key []byte) error { return b.Delete(key, nil) })
	if err == nil {
		err = b.Set(appendTask(nil, kindCheckpoint, task), encodeCheckpoint(cp), nil)
	}
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	return errors.Join(err, b.Close())
}

// Close hands the loader's memory to the next one. What was not flushed is
// dropped, and the loader is of no more use.
func (l *Loader) Close() {
	if l.chunk != nil {
		l.chunk.reset()
		l.s.chunks.Put(l.chunk)
		l.chunk = nil
	}
}

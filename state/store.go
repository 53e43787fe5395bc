package state

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"traitstream/schemas"
	"traitstream/trait"
)

// Store is an open state folder. It is safe for concurrent use, but a task has
// one writer at a time, and Close comes last.
type Store struct {
	opts     Options
	lock     io.Closer // nil where no other process can see the folder
	db       *pebble.DB
	fuse     *fuse
	tables   tables
	chunks   sync.Pool // of loaders that were closed
	holders  holders
	absences absences
}

// Entry is a record as it is stored, and as it goes into the changelog.
type Entry struct {
	Task  int32
	Key   []byte // the state key; schemas.DecodeStateKey reads it
	Value []byte // the encoded record; schemas.DecodeRecord reads it. Of a change nil for a removal
}

var errClosed = errors.New("state is closed")

// Open opens the store in a folder, or makes it. It fails with [ErrLocked]
// where another process has it open, and with a [*StampError] where it belongs
// to another application, cluster or release.
func Open(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	s := &Store{opts: o, fuse: newFuse(o.Dir), absences: newAbsences(o.CacheBytes)}
	if err := s.open(); err != nil {
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
		return nil, fmt.Errorf("opening state: %w", err)
	}
	return s, nil
}

func (s *Store) open() error {
	f := folder{s.opts.fs, s.opts.Dir}
	if err := f.make(); err != nil {
		return err
	}
	if s.opts.onDisk() {
		var err error
		if s.lock, err = lockFolder(s.opts.Dir); err != nil {
			return err
		}
	}
	if err := f.tidy(); err != nil {
		return err
	}
	if err := f.checkStamp(s.opts.App, s.opts.ClusterID); err != nil {
		return err
	}
	return s.openStore(f, false)
}

func (s *Store) openStore(f folder, readOnly bool) error {
	var db *pebble.DB
	var opened atomic.Bool
	o := s.opts.pebble(s.fuse, &opened)
	if o.ReadOnly = readOnly; readOnly {
		o.FS = unlocked{o.FS}
	}
	err := s.fuse.run(func() (err error) {
		db, err = pebble.Open(f.store(), o)
		return err
	})
	if err != nil {
		return s.explain(err)
	}
	opened.Store(true)
	s.db = db
	s.tables.fs = o.FS
	s.tables.options = o.MakeWriterOptions(0, db.TableFormat())
	return nil
}

// explain adds to an error of Pebble where it happened and what helps. What has
// blown the fuse explains itself.
func (s *Store) explain(err error) error {
	if err == nil || errors.Is(err, s.fuse.err()) {
		return err
	}
	return fmt.Errorf("folder %s: %w; if the store is damaged, --reset-state rebuilds it from the changelog", s.opts.Dir, err)
}

// Close writes out what is in memory, waits for the disk, and frees the folder.
// Later calls do nothing. If the store could not be written before, Close
// returns that error again.
func (s *Store) Close() error {
	err := s.fuse.err()
	if errors.Is(err, errClosed) {
		return nil
	}
	if err == nil {
		err = s.fuse.run(s.db.Close)
		s.fuse.blow(errClosed)
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	if err != nil {
		return fmt.Errorf("closing state: %w", err)
	}
	return nil
}

// Get returns the record of a user's trait, nil if there is none.
func (s *Store) Get(task int32, k trait.Key) (*trait.Record, error) {
	v, err := s.read(appendRecordKey(nil, task, k))
	if err != nil || v == nil {
		return nil, err
	}
	r := new(trait.Record)
	if err := schemas.DecodeRecord(v, r); err != nil {
		return nil, fmt.Errorf("reading state: %w", s.explain(err))
	}
	return r, nil
}

// All yields a task's records of traits in the order of their keys, as they stand
// at the start. An entry holds until the next one. An error is the last that it
// yields.
func (s *Store) All(task int32) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := s.scanTraits(task, func(e Entry) bool { return yield(e, nil) }); err != nil {
			yield(Entry{}, err)
		}
	}
}

// scan calls fn for all that a task has until it returns false.
func (s *Store) scan(task int32, fn func(Entry) bool) (err error) {
	lower, upper := taskRange(task)
	return s.scanRange(task, lower, upper, fn)
}

// scanRange is scan from one key of the store to another.
func (s *Store) scanRange(task int32, lower, upper []byte, fn func(Entry) bool) (err error) {
	if err := s.fuse.err(); err != nil {
		return err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	more := true
	for ok := it.First(); ok && more; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break // Close returns it again
		}
		more = fn(Entry{Task: task, Key: it.Key()[prefixLen:], Value: value})
	}
	if err := it.Close(); err != nil && more {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	return nil
}

// Meta returns what SetMeta kept under a name, nil if nothing.
func (s *Store) Meta(name string) ([]byte, error) {
	return s.read(append([]byte{kindMeta}, name...))
}

// SetMeta keeps a small value under a name, such as the definitions' hash.
func (s *Store) SetMeta(name string, value []byte) error {
	b := s.NewBatch()
	b.note(b.b.Set(append([]byte{kindMeta}, name...), value, nil))
	return b.Commit()
}

// DiskBytes returns the size of the store's files.
func (s *Store) DiskBytes() uint64 {
	if s.fuse.err() != nil {
		return 0
	}
	return s.db.Metrics().DiskSpaceUsage()
}

// FreeBytes returns what is free for this user on the folder's volume. It is an
// error for a store in memory.
func (s *Store) FreeBytes() (uint64, error) {
	u, err := s.opts.fs.GetDiskUsage(s.opts.Dir)
	if err != nil {
		return 0, fmt.Errorf("reading the free space of %s: %w", s.opts.Dir, err)
	}
	return u.AvailBytes, nil
}

package state

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNoState tells that a folder holds no state.
var ErrNoState = errors.New("there is no state in it")

// OpenForReading opens the store in a folder as the last process has left it, and
// writes nothing there; several may do so at a time. Of whatever cluster the state
// is, it fails with [ErrLocked] where a process has it open, with [ErrNoState], and
// with a [*StampError] where it belongs to another application or release.
func OpenForReading(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("opening state for reading: %w", err)
	}
	s := &Store{opts: o, fuse: newFuse(o.Dir), absences: newAbsences(o.CacheBytes)}
	if err := s.openForReading(); err != nil {
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
		return nil, fmt.Errorf("opening state for reading: %w", err)
	}
	return s, nil
}

func (s *Store) openForReading() error {
	f := folder{s.opts.fs, s.opts.Dir}
	if _, err := f.fs.Stat(f.store()); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("folder %s: %w; check state.dir", f.dir, ErrNoState)
	}
	if s.opts.onDisk() {
		var err error
		if s.lock, err = lockToRead(s.opts.Dir); err != nil {
			return err
		}
	}
	have, err := f.readStamp()
	switch {
	case err != nil:
		return err
	case have.Format != format:
		return &StampError{f.dir, "format", fmt.Sprint(have.Format), fmt.Sprint(format)}
	case have.App != s.opts.App:
		return &StampError{f.dir, "app", have.App, s.opts.App}
	}
	return s.openStore(f, true)
}

// unlocked is a file system on which Pebble takes no lock: it would write a file,
// and the folder's own lock is what processes go by.
type unlocked struct{ vfs.FS }

func (unlocked) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (u unlocked) Unwrap() vfs.FS { return u.FS }

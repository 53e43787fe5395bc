package state

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Remove deletes the store in a state folder, whatever its stamp, and nothing
// else there. It fails with [ErrLocked] where a process has it open. Without a
// folder or a store it does nothing.
func Remove(dir string) (err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return fmt.Errorf("removing state: %w", err)
	}
	err = folder{vfs.Default, dir}.remove()
	if err = errors.Join(err, lock.Close()); err != nil {
		return fmt.Errorf("removing state: %w", err)
	}
	return nil
}

// remove renames the store first, so that a half-deleted one is never opened.
func (f folder) remove() error {
	if err := f.tidy(); err != nil {
		return err
	}
	if err := ignoreMissing(f.fs.Rename(f.store(), f.removed())); err != nil {
		return err
	}
	if err := ignoreMissing(f.fs.Remove(f.stamp())); err != nil {
		return err
	}
	if err := f.sync(f.dir); err != nil {
		return err
	}
	return f.tidy()
}

// tidy deletes what a removal has set aside, and tables that were not ingested.
func (f folder) tidy() error {
	for _, name := range []string{f.removed(), f.loading()} {
		if err := ignoreMissing(f.fs.RemoveAll(name)); err != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

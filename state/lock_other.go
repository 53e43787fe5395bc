//go:build !unix

package state

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockFolder locks a folder against other processes and other stores of this
// one. Closing what it returns unlocks.
func lockFolder(dir string) (io.Closer, error) {
	lock, err := vfs.Default.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("folder %s is %w (%w): stop that one, or choose another state.dir", dir, ErrLocked, err)
	}
	return lock, nil
}

// lockToRead is lockFolder: there is no lock for several readers.
func lockToRead(dir string) (io.Closer, error) { return lockFolder(dir) }

//go:build unix

package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFolder locks a folder against other processes and other stores of this
// one. Closing what it returns unlocks.
func lockFolder(dir string) (io.Closer, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the folder: %w; check state.dir and who owns it", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("folder %s is %w%s: stop that one, or choose another state.dir", dir, ErrLocked, holder(file))
	}
	if err == nil {
		err = writePID(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lockToRead locks a folder against who writes it, and not against others that
// read it. A folder without a lock, such as a copy, is nobody's.
func lockToRead(dir string) (io.Closer, error) {
	file, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("locking the folder: %w; check state.dir and who owns it", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("folder %s is %w%s", dir, ErrLocked, holder(file))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// writePID leaves the process's number for the message of who comes second.
func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func holder(file *os.File) string {
	b, err := io.ReadAll(io.LimitReader(file, 32))
	if pid, e := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && e == nil {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

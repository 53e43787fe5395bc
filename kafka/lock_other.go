//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package kafka

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir creates the folder. This system has no lock that ends with its
// process, so a second broker on the same folder is not noticed.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the embedded broker's folder: %w", err)
	}
	return os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
}

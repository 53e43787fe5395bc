package processor

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Instance returns the name of this process's seat, which is kept in the state
// folder: it survives restarts, and a new folder has a new one. Without a
// folder it is new each time.
func Instance(dir string) (string, error) {
	if dir == "" {
		return newInstance(), nil
	}
	path := filepath.Join(dir, "instance")
	text, err := os.ReadFile(path)
	if err == nil {
		name := strings.TrimSpace(string(text))
		if _, err := hex.DecodeString(name); err != nil || len(name) != 16 {
			return "", fmt.Errorf("reading %s: %q is no instance name; remove the file to take a new seat", path, name)
		}
		return name, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the instance's name: %w", err)
	}
	name := newInstance()
	// The rename makes the name whole or absent, whatever ends the process.
	if err := os.WriteFile(path+".new", []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the instance's name: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("writing the instance's name: %w", err)
	}
	return name, nil
}

func newInstance() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

package processor

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Instance is the name of a process, which outlives it, and the seats that it
// may have in the group. A seat is what a worker of it has: its name is the
// static member's instance id and, after the app's name, the transactional id.
//
// Both are kept in the state folder, so a process that is killed and started
// again has its old seats back, and knows those that it no longer needs. A new
// folder has a new name; two live processes never share one.
type Instance struct {
	Name string
	path string   // of the file; empty without a folder
	held []string // seats that were taken by the last run or this one
	run  string   // another one in each process that reads the same folder
}

// OpenInstance reads the instance of a state folder, or makes up a new one.
// Without a folder it is new each time.
func OpenInstance(dir string) (*Instance, error) {
	if dir == "" {
		return &Instance{Name: newName(), run: newName()}, nil
	}
	i := &Instance{path: filepath.Join(dir, "instance"), run: newName()}
	text, err := os.ReadFile(i.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.Name = newName()
		return i, i.write(nil)
	case err != nil:
		return nil, fmt.Errorf("reading the instance's name: %w", err)
	}
	lines := strings.Fields(string(text))
	if len(lines) == 0 || !isName(lines[0]) {
		return nil, fmt.Errorf("reading %s: %q is no instance name; remove the file to take a new seat", i.path, text)
	}
	i.Name, i.held = lines[0], lines[1:]
	if len(i.held) == 0 {
		i.held = lines // the release before had one seat, under the name alone
	}
	return i, nil
}

// seat returns the name of a worker's seat.
func (i *Instance) seat(worker int) string {
	if worker == 0 {
		return i.Name
	}
	return i.Name + "-" + strconv.Itoa(worker)
}

// seats returns those of some workers.
func (i *Instance) seats(workers int) []string {
	seats := make([]string, workers)
	for w := range seats {
		seats[w] = i.seat(w)
	}
	return seats
}

// surplus returns the seats of the last run that some workers don't need.
func (i *Instance) surplus(workers int) []string {
	seats := i.seats(workers)
	return slices.DeleteFunc(slices.Clone(i.held), func(s string) bool { return slices.Contains(seats, s) })
}

// hold writes down the seats that may be taken from now on.
func (i *Instance) hold(seats []string) error {
	if slices.Equal(seats, i.held) {
		return nil
	}
	if err := i.write(seats); err != nil {
		return err
	}
	i.held = seats
	return nil
}

// write puts the file in place whole, whatever ends the process or the machine.
func (i *Instance) write(seats []string) error {
	if i.path == "" {
		return nil
	}
	text := strings.Join(append([]string{i.Name}, seats...), "\n") + "\n"
	err := writeSynced(i.path+".new", text)
	if err == nil {
		err = os.Rename(i.path+".new", i.path)
	}
	if err != nil {
		return fmt.Errorf("writing the instance's name: %w", err)
	}
	return nil
}

// writeSynced writes a file that is on the disk on return: a rename may get
// there before what it names.
func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func isName(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 16
}

func newName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

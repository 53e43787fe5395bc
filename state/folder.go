package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// format is the version of the folder's layout, key layout and values. A change
// that an older release would misread raises it.
const format = 1

// folder knows the names in a state folder: the store, its stamp, a store that
// is being removed, and tables that are being written to be ingested. Other
// files there are not ours.
type folder struct {
	fs  vfs.FS
	dir string
}

func (f folder) store() string   { return f.fs.PathJoin(f.dir, "store") }
func (f folder) removed() string { return f.fs.PathJoin(f.dir, "store.removed") }
func (f folder) loading() string { return f.fs.PathJoin(f.dir, "store.loading") }
func (f folder) stamp() string   { return f.fs.PathJoin(f.dir, "stamp.json") }

// stamp tells what made a folder.
type stamp struct {
	Format  int    `json:"format"`
	App     string `json:"app"`
	Cluster string `json:"cluster"`
}

// StampError tells that a folder holds the state of something else.
type StampError struct {
	Dir  string
	What string // "app", "cluster", "format" or "stamp"
	Have string // in the folder
	Want string // of this process
}

// Error says what differs and what to check.
func (e *StampError) Error() string {
	switch e.What {
	case "app":
		return fmt.Sprintf("folder %s holds the state of app %q, not of %q: check app and state.dir", e.Dir, e.Have, e.Want)
	case "cluster":
		return fmt.Sprintf("folder %s was filled from Kafka cluster %q, and the brokers are of cluster %q: "+
			"check kafka.brokers and state.dir, or rebuild it with --reset-state", e.Dir, e.Have, e.Want)
	case "format":
		return fmt.Sprintf("folder %s has format %s, and this release reads format %s: "+
			"use the release that wrote it or a newer one, or rebuild it with --reset-state", e.Dir, e.Have, e.Want)
	}
	return fmt.Sprintf("folder %s has a store, but its stamp.json is %s: "+
		"check state.dir, or rebuild it with --reset-state", e.Dir, e.Have)
}

// make makes the folder where it is missing, and puts its name on the disk.
func (f folder) make() error {
	if _, err := f.fs.Stat(f.dir); err == nil {
		return nil
	}
	err := f.fs.MkdirAll(f.dir, 0o700)
	if err == nil {
		err = f.sync(f.fs.PathDir(f.dir))
	}
	if err != nil {
		return fmt.Errorf("making folder %s: %w; check state.dir", f.dir, err)
	}
	return nil
}

// checkStamp compares the folder's stamp, or writes one where there is no store
// yet. The stamp is on the disk before the store is.
func (f folder) checkStamp(app, cluster string) error {
	want := stamp{format, app, cluster}
	have, err := f.readStamp()
	if errors.Is(err, os.ErrNotExist) {
		if _, err := f.fs.Stat(f.store()); err == nil {
			return &StampError{Dir: f.dir, What: "stamp", Have: "missing"}
		}
		return f.writeStamp(want)
	}
	if err != nil {
		return err
	}
	switch {
	case have.Format != want.Format:
		return &StampError{f.dir, "format", fmt.Sprint(have.Format), fmt.Sprint(want.Format)}
	case have.App != want.App:
		return &StampError{f.dir, "app", have.App, want.App}
	case have.Cluster != want.Cluster:
		return &StampError{f.dir, "cluster", have.Cluster, want.Cluster}
	}
	return nil
}

func (f folder) readStamp() (s stamp, err error) {
	file, err := f.fs.Open(f.stamp())
	if err != nil {
		return s, fmt.Errorf("reading the stamp: %w", err)
	}
	b, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return s, fmt.Errorf("reading the stamp: %w", err)
	}
	if json.Unmarshal(b, &s) != nil || s.Format == 0 {
		return s, &StampError{Dir: f.dir, What: "stamp", Have: "not one of ours"}
	}
	return s, nil
}

func (f folder) writeStamp(s stamp) error {
	b, err := json.Marshal(s)
	if err == nil {
		err = f.writeFile(f.stamp(), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the stamp: %w", err)
	}
	return nil
}

// writeFile puts a file in place whole, on the disk.
func (f folder) writeFile(name string, b []byte) error {
	file, err := f.fs.Create(name+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.fs.Rename(name+".tmp", name); err != nil {
		return err
	}
	return f.sync(f.dir)
}

// sync puts a folder's entries on the disk.
func (f folder) sync(name string) error {
	dir, err := f.fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

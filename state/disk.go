package state

import (
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system under Pebble. A write that fails, for whatever
// reason, blows the fuse before Pebble hears of it, and no write is let through
// after. So what is on the disk is as a crash would leave it.
type disk struct {
	vfs.FS
	fuse *fuse
}

func (d disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(d.FS.Create(name, c))
}

func (d disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(d.FS.ReuseForWrite(oldname, newname, c))
}

func (d disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.opened(d.FS.OpenReadWrite(name, c, o...))
}

func (d disk) OpenDir(name string) (vfs.File, error) {
	return d.opened(d.FS.OpenDir(name))
}

func (d disk) MkdirAll(dir string, perm os.FileMode) error {
	d.fuse.wrote(d.FS.MkdirAll(dir, perm))
	return nil
}

func (d disk) Unwrap() vfs.FS { return d.FS }

func (d disk) opened(f vfs.File, err error) (vfs.File, error) {
	d.fuse.wrote(err)
	return diskFile{f, d.fuse}, nil
}

// diskFile is a file that is written, or a folder that is synced.
type diskFile struct {
	vfs.File
	fuse *fuse
}

func (f diskFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.fuse.wrote(err)
	return n, nil
}

func (f diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.fuse.wrote(err)
	return n, nil
}

func (f diskFile) Sync() error {
	f.fuse.wrote(f.File.Sync())
	return nil
}

func (f diskFile) SyncData() error {
	f.fuse.wrote(f.File.SyncData())
	return nil
}

func (f diskFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	f.fuse.wrote(err)
	return full, nil
}

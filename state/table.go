package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tables is what it takes to write tables as the store writes its own.
type tables struct {
	fs      vfs.FS
	options sstable.WriterOptions
	written atomic.Uint64 // names them
}

// tableSync is how much of a table is written before it is sent to the disk, in
// bytes, so that the sync at its end is short.
const tableSync = 1 << 20

// tableBuffer is what is written at a time, in bytes.
const tableBuffer = 256 << 10

// tableFile is a table's file, written in larger parts than blocks.
type tableFile struct {
	file vfs.File
	buf  *bufio.Writer
}

func (f *tableFile) Write(p []byte) error {
	_, err := f.buf.Write(p)
	return err
}

func (f *tableFile) Finish() error {
	return errors.Join(f.buf.Flush(), f.file.Sync(), f.file.Close())
}

func (f *tableFile) Abort() { _ = f.file.Close() } // what it holds is not used

// ingestChunk writes a chunk and its checkpoint as two tables, which enter the
// store together. They are two because a table covers all keys between its
// first and its last: one would lie across the tasks in between.
func (s *Store) ingestChunk(task int32, c *chunk, cp Checkpoint) error {
	s.absences.writes(task).forget() // to note each key would take a tenth of the restore's time
	records, err := s.writeTable(func(w *sstable.Writer) error { return c.write(w.Set, w.Delete) })
	if err != nil {
		return err
	}
	checkpoint, err := s.writeTable(func(w *sstable.Writer) error {
		return w.Set(appendTask(nil, kindCheckpoint, task), encodeCheckpoint(cp))
	})
	if err != nil {
		return err
	}
	return s.explain(s.db.Ingest(context.Background(), []string{records, checkpoint}))
}

// writeTable writes a table beside the store, on its volume, and syncs it.
// Ingesting it moves it; what a crash or an error leaves is removed by the next
// open.
func (s *Store) writeTable(fill func(*sstable.Writer) error) (name string, err error) {
	fs, dir := s.tables.fs, folder{s.opts.fs, s.opts.Dir}.loading()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making folder %s: %w", dir, err)
	}
	name = fs.PathJoin(dir, fmt.Sprintf("%d.sst", s.tables.written.Add(1)))
	file, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", fmt.Errorf("creating a table: %w", err)
	}
	file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: tableSync})
	w := sstable.NewWriter(&tableFile{file, bufio.NewWriterSize(file, tableBuffer)}, s.tables.options)
	if err := errors.Join(fill(w), w.Close()); err != nil {
		return "", fmt.Errorf("writing a table: %w", err)
	}
	return name, nil
}

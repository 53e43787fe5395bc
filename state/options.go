package state

import (
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// defaultCache is what a store may take for blocks and memtables together.
const defaultCache = 256 << 20

// manyCompactions is more than the library would ever run at a time.
const manyCompactions = 1 << 20

// defaultRecords is what an overlay may take between transactions.
const defaultRecords = 32 << 20

// Options tell where a store is and whose it is.
type Options struct {
	Dir       string       // the state folder, created where it is missing
	App       string       // the application id that the state belongs to
	ClusterID string       // of the Kafka cluster that the state is a copy of
	Logger    *slog.Logger // nil: no logs

	// CacheBytes bounds the memory for blocks and memtables together, in
	// bytes; 0: 256 MiB. The least is 8 MiB.
	CacheBytes int64
	// RecordBytes bounds the memory for records that an overlay keeps between
	// transactions, in bytes; 0: 32 MiB.
	RecordBytes int
	// InMemory keeps everything in memory: Dir is not touched.
	InMemory bool

	fs vfs.FS // tests: in place of the disk
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && !o.InMemory {
		return o, errors.New("no folder is given: check state.dir")
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	o.CacheBytes = max(o.CacheBytes, 8<<20)
	if o.RecordBytes == 0 {
		o.RecordBytes = defaultRecords
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.InMemory:
		o.fs, o.Dir = vfs.NewMem(), "/memory"
	case o.fs == nil:
		o.fs = vfs.Default
	}
	return o, nil
}

// onDisk tells whether other processes can see the folder.
func (o Options) onDisk() bool { return o.fs == vfs.Default }

// pebble returns the settings of the store. DESIGN.md has the reasons at
// length.
func (o Options) pebble(f *fuse, opened *atomic.Bool) *pebble.Options {
	p := &pebble.Options{
		// Named, so that a new release of the library does not move the files
		// to a format that the release before cannot read.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		// Memtables are charged to the cache. At an eighth each, with at most
		// four of them, half of it is always left for blocks.
		CacheSize:                   o.CacheBytes,
		MemTableSize:                uint64(o.CacheBytes) / 8,
		MemTableStopWritesThreshold: 4,
		// Compact late: what is read often is remembered, filters answer for
		// most of the rest, and compactions cost more than all reads. Stop
		// writers only when they are far behind, as in a restore.
		L0CompactionThreshold: 24, // so it begins at twelve
		L0StopWritesThreshold: 60,
		// One compaction beside the workers; up to half of the cores when it
		// falls behind. None while the store opens, which would wait for its
		// end: after a crash that is most of the way back to work. The first
		// flush starts them.
		CompactionConcurrencyRange: func() (int, int) {
			if !opened.Load() {
				return -manyCompactions, 1 // the least, to which it adds as there is more to do
			}
			return 1, max(1, runtime.GOMAXPROCS(0)/2)
		},
		// The log is not synced by commits. Writing it back as it grows keeps
		// the sync at its end short.
		WALBytesPerSync: 1 << 20,
		FS:              disk{o.fs, f},
		Logger:          pebbleLogger{o.Logger, f},
		EventListener:   listener(o.Logger, f),
	}
	// 8 KiB blocks: a batch's keys lie spread, so larger ones read in vain;
	// snappy, Pebble's default: cheap. The filters answer for users who are
	// new, which every level would be searched for.
	p.Levels[0] = pebble.LevelOptions{BlockSize: 8 << 10, FilterPolicy: bloom.FilterPolicy(10)}
	if o.onDisk() {
		p.WithFSDefaults() // tells of a disk that hangs
	}
	p.EnsureDefaults()
	return p
}

package state

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// A fuse blows when the store can no longer be written. Pebble answers a full
// disk, or an error in its log, by ending the process or by a panic that cannot
// be recovered, on whatever goroutine meets it. The fuse makes that an error for
// whoever writes next or is waiting for a write, and parks the goroutine that
// met it. The process is expected to end; what was not written is in the
// changelog.
type fuse struct {
	dir   string
	once  sync.Once
	blown chan struct{}
	cause error // written before blown is closed
}

func newFuse(dir string) *fuse {
	return &fuse{dir: dir, blown: make(chan struct{})}
}

func (f *fuse) blow(err error) {
	f.once.Do(func() {
		f.cause = err
		close(f.blown)
	})
}

// fail blows the fuse for an error of the disk or of Pebble.
func (f *fuse) fail(err error) {
	f.blow(fmt.Errorf("folder %s: %w; check the disk and start again: nothing is lost, Kafka has it all "+
		"(if the store is damaged, --reset-state rebuilds it)", f.dir, err))
}

// err returns why the fuse has blown, nil if it has not.
func (f *fuse) err() error {
	select {
	case <-f.blown:
		return f.cause
	default:
		return nil
	}
}

// run calls op and waits for it or for the fuse, whichever is first. After an
// error op may still be running.
func (f *fuse) run(op func() error) error {
	if err := f.err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				f.fail(fmt.Errorf("%v", r))
			}
		}()
		done <- op()
	}()
	select {
	case err := <-done:
		return err
	case <-f.blown:
		return f.cause
	}
}

// wrote returns if a write has gone well and none before it has failed.
func (f *fuse) wrote(err error) {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		f.blow(fmt.Errorf("folder %s: %w; free some and start again: nothing is lost, Kafka has it all", f.dir, err))
	case err != nil:
		f.fail(err)
	}
	if f.err() != nil {
		park()
	}
}

// park stops the calling goroutine for good. What Pebble does after such an
// error is what must not happen.
func park() { select {} }

// pebbleLogger passes Pebble's messages on.
type pebbleLogger struct {
	log  *slog.Logger
	fuse *fuse
}

func (l pebbleLogger) Infof(format string, args ...any) {
	l.log.Debug("state: " + fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Warn("state: " + fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.fuse.fail(fmt.Errorf(format, args...))
	park()
}

func listener(log *slog.Logger, f *fuse) *pebble.EventListener {
	return &pebble.EventListener{
		// Pebble would try a failed flush or compaction again at once and for
		// ever, while writers wait. One that was cancelled, since the task in it
		// was dropped meanwhile, is tried again and goes well.
		BackgroundError: func(err error) {
			if errors.Is(err, pebble.ErrCancelledCompaction) {
				return
			}
			f.fail(err)
			park()
		},
		// Pebble would end the process; here the read that met it fails.
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			log.Error("a file of the state is damaged; --reset-state rebuilds the folder", "file", i.Path, "error", i.Details)
		},
		DiskSlow: func(i pebble.DiskSlowInfo) {
			log.Warn("the disk under the state folder is slow", "file", i.Path, "waited", i.Duration)
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			log.Warn("state is written faster than the disk takes it; waiting", "reason", i.Reason)
		},
		WriteStallEnd: func() { log.Info("state is written again") },
	}
}

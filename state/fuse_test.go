package state

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// brokenDisk is a disk that refuses writes once it is broken.
func brokenDisk(err error) (mem *vfs.MemFS, disk vfs.FS, broken *atomic.Bool) {
	mem, broken = vfs.NewCrashableMem(), new(atomic.Bool)
	return mem, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return err
		}
		return nil
	})), broken
}

// A disk that can no longer be written becomes an error of the next commits,
// and what was there is there after a restart.
func TestBrokenDiskIsAnError(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		t.Run(cause.Error(), func(t *testing.T) {
			mem, disk, broken := brokenDisk(cause)
			s, err := Open(onFS(disk))
			must(t, err)
			o := s.NewOverlay()
			must(t, applyNumbered(o, 1))
			must(t, s.db.Flush())
			broken.Store(true)

			// The log is written in blocks, so the first commits still fit.
			next := int64(2)
			for err = nil; err == nil; next++ {
				if next > 10_000 {
					t.Fatal("the disk is broken, and nobody tells")
				}
				err = applyNumbered(o, next)
			}
			if text := err.Error(); !strings.Contains(text, "and start again: nothing is lost") || !strings.Contains(text, cause.Error()) {
				t.Errorf("got %q", text)
			}
			if !errors.Is(err, cause) {
				t.Errorf("%v does not wrap %v", err, cause)
			}
			if err := s.Close(); err == nil {
				t.Error("Close does not tell")
			}

			s = open(t, onFS(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: random(1)})))
			cp, _, err := s.Checkpoint(0)
			must(t, err)
			r, err := s.Get(0, key("all", "t"))
			must(t, err)
			if cp.Next < 1 || r.Seen.SeenAt != cp.Next {
				t.Errorf("after a restart the checkpoint is %d, the record %d", cp.Next, r.Seen.SeenAt)
			}
		})
	}
}

func applyNumbered(o *Overlay, n int64) error {
	for _, user := range []string{"all", userName(int(n))} {
		slot := o.Want(0, key(user, "t"))
		*o.Record(slot) = record(fmt.Sprint(n), n)
		o.Touch(slot)
	}
	return o.Apply(map[int32]Checkpoint{0: at(n)})
}

// A flush or compaction that fails is told too, though no writer met it.
func TestBackgroundErrorIsTold(t *testing.T) {
	s, err := Open(inMemory())
	must(t, err)
	cause := errors.New("the disk is gone")
	go listener(s.opts.Logger, s.fuse).BackgroundError(cause)
	<-s.fuse.blown
	if err := s.NewBatch().Commit(); !errors.Is(err, cause) {
		t.Errorf("Commit: got %v", err)
	}
	if err := s.NewOverlay().Load(); err != nil {
		t.Errorf("an empty Load: %v", err)
	}
	if _, err := s.Get(0, key("ann", "t")); !errors.Is(err, cause) {
		t.Errorf("Get: got %v", err)
	}
	if err := s.Close(); !errors.Is(err, cause) {
		t.Errorf("Close: got %v", err)
	}
}

// A flush that gives way to a dropped task is no failure.
func TestCancelledFlushIsNoError(t *testing.T) {
	f, done := newFuse("dir"), make(chan struct{})
	go func() {
		listener(slog.New(slog.DiscardHandler), f).BackgroundError(fmt.Errorf("flushing: %w", pebble.ErrCancelledCompaction))
		close(done)
	}()
	select {
	case <-done:
	case <-f.blown:
		t.Error(f.cause)
	}
}

func TestFuseEndsAWait(t *testing.T) {
	f := newFuse("dir")
	for name, op := range map[string]func() error{
		"parked":   func() error { f.wrote(syscall.EIO); return nil },
		"fatal":    func() error { pebbleLogger{fuse: f}.Fatalf("bad: %d", 7); return nil },
		"panicked": func() error { panic("bad") },
	} {
		f = newFuse("dir")
		if err := f.run(op); err == nil || !strings.Contains(err.Error(), "folder dir: ") {
			t.Errorf("%s: got %v", name, err)
		}
		called := false
		if err := f.run(func() error { called = true; return nil }); err == nil || called {
			t.Errorf("%s: a blown fuse lets through", name)
		}
	}
}

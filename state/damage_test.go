package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever file of the store is damaged, the store works or says what helps.
func TestDamagedFileIsExplained(t *testing.T) {
	damages := map[string]func(string, []byte) error{
		"gone":  func(name string, _ []byte) error { return os.Remove(name) },
		"empty": func(name string, _ []byte) error { return os.Truncate(name, 0) },
		"half":  func(name string, b []byte) error { return os.Truncate(name, int64(len(b)/2)) },
		"other": func(name string, b []byte) error {
			for i := range b {
				b[i] ^= 0x5a
			}
			return os.WriteFile(name, b, 0o600)
		},
	}
	whole := storeWithFiles(t)
	explained := 0
	for name, damage := range damages {
		for i := 0; ; i++ {
			o := options(t)
			must(t, os.CopyFS(o.Dir, os.DirFS(whole.Dir)))
			files, err := filepath.Glob(filepath.Join(o.Dir, "store", "*"))
			must(t, err)
			if i == len(files) {
				break
			}
			b, err := os.ReadFile(files[i])
			must(t, err)
			must(t, damage(files[i], b))
			err = useStore(o)
			if err == nil {
				continue
			}
			explained++
			if !strings.Contains(err.Error(), "--reset-state") || !strings.Contains(err.Error(), o.Dir) {
				t.Errorf("%s %s: got %q", filepath.Base(files[i]), name, err)
			}
			must(t, Remove(o.Dir))
			// A store that was given up is held by this process, under its name.
			o.Dir = renamed(t, o.Dir)
			if err := useStore(o); err != nil {
				t.Errorf("%s %s: after Remove: %v", filepath.Base(files[i]), name, err)
			}
		}
	}
	if explained == 0 {
		t.Error("no damage was noticed")
	}
}

// storeWithFiles leaves a store that has files of every sort.
func storeWithFiles(t *testing.T) Options {
	o := options(t)
	s, err := Open(o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	overlay := s.NewOverlay()
	must(t, applyNumbered(overlay, 1))
	must(t, s.db.Flush())
	for n := range int64(300) {
		must(t, applyNumbered(overlay, n+2))
	}
	return o
}

// useStore reads and writes a store.
func useStore(o Options) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	use := func() error {
		for _, err := range s.All(0) {
			if err != nil {
				return err
			}
		}
		overlay := s.NewOverlay()
		overlay.Want(0, key("all", "t"))
		if err := overlay.Load(); err != nil {
			return err
		}
		overlay.Reset()
		return applyNumbered(overlay, 1000)
	}
	if err := use(); err != nil {
		_ = s.Close() // the first error tells
		return err
	}
	return s.Close()
}

func renamed(t *testing.T, dir string) string {
	must(t, os.Rename(dir, dir+".new"))
	return dir + ".new"
}

package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestStampMismatch(t *testing.T) {
	o := options(t)
	s, err := Open(o)
	must(t, err)
	must(t, s.Close())
	stampFile := filepath.Join(o.Dir, "stamp.json")
	good, err := os.ReadFile(stampFile)
	must(t, err)

	app, cluster := o, o
	app.App, cluster.ClusterID = "other", "other"
	tests := []struct {
		name  string
		opts  Options
		stamp string // empty: none
		what  string
		says  string
	}{
		{"app", app, string(good), "app", `state of app "app", not of "other": check app and state.dir`},
		{"cluster", cluster, string(good), "cluster", `Kafka cluster "cluster", and the brokers are of cluster "other": check kafka.brokers`},
		{"newer", o, `{"format":2,"app":"app","cluster":"cluster","more":1}`, "format", "has format 2, and this release reads format 1"},
		{"newer in another app", app, `{"format":2,"app":"app"}`, "format", "has format 2"},
		{"cut", o, `{"format":`, "stamp", "stamp.json is not one of ours"},
		{"empty object", o, `{}`, "stamp", "stamp.json is not one of ours"},
		{"missing", o, "", "stamp", "stamp.json is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			must(t, os.WriteFile(stampFile, []byte(tt.stamp), 0o600))
			if tt.stamp == "" {
				must(t, os.Remove(stampFile))
			}
			_, err := Open(tt.opts)
			var stampErr *StampError
			if !errors.As(err, &stampErr) || stampErr.What != tt.what {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), "opening state: folder "+o.Dir) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q", err)
			}
		})
	}
	must(t, os.WriteFile(stampFile, good, 0o600))
	open(t, o) // a refused Open leaves no lock
}

func TestOpenMakesAPrivateFolder(t *testing.T) {
	o := options(t)
	o.Dir = filepath.Join(o.Dir, "a", "b")
	open(t, o)
	info, err := os.Stat(o.Dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v", info.Mode())
	}
}

func TestOpenWhereNoFolderCanBe(t *testing.T) {
	o := options(t)
	o.Dir = filepath.Join(o.Dir, "file", "state")
	must(t, os.WriteFile(filepath.Dir(o.Dir), nil, 0o600))
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "check state.dir") {
		t.Errorf("got %v", err)
	}
	o.Dir = ""
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "check state.dir") {
		t.Errorf("without a folder: got %v", err)
	}
}

func TestInMemoryTouchesNoFolder(t *testing.T) {
	o := options(t)
	o.InMemory = true
	s := open(t, o)
	must(t, s.SetMeta("a", []byte("b")))
	if got := names(t, o.Dir); len(got) > 0 {
		t.Errorf("the folder has %q", got)
	}
}

func TestRemoveTakesTheStoreAlone(t *testing.T) {
	o := options(t)
	must(t, os.Mkdir(filepath.Join(o.Dir, "kafka"), 0o700))
	must(t, os.WriteFile(filepath.Join(o.Dir, "instance"), []byte("id"), 0o600))
	s, err := Open(o)
	must(t, err)
	must(t, s.SetMeta("a", []byte("b")))
	if err := Remove(o.Dir); !errors.Is(err, ErrLocked) {
		t.Errorf("removing an open store: got %v", err)
	}
	must(t, s.Close())
	// A stamp of anyone does not stand in the way.
	must(t, os.WriteFile(filepath.Join(o.Dir, "stamp.json"), []byte("?"), 0o600))
	for range 2 {
		must(t, Remove(o.Dir))
		if got, want := names(t, o.Dir), []string{"instance", "kafka", "lock"}; !slices.Equal(got, want) {
			t.Errorf("left: %q, want %q", got, want)
		}
	}
	if v, err := open(t, o).Meta("a"); v != nil || err != nil {
		t.Errorf("the new store has %q, %v", v, err)
	}
	missing := filepath.Join(o.Dir, "missing")
	must(t, Remove(missing))
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Remove made a folder: %v", err)
	}
}

// A removal that was cut short is finished, and what it set aside is not read.
func TestRemovalIsFinished(t *testing.T) {
	o := options(t)
	s, err := Open(o)
	must(t, err)
	must(t, s.SetMeta("a", []byte("b")))
	must(t, s.Close())
	must(t, os.Rename(filepath.Join(o.Dir, "store"), filepath.Join(o.Dir, "store.removed")))
	if v, err := open(t, o).Meta("a"); v != nil || err != nil {
		t.Errorf("the new store has %q, %v", v, err)
	}
	if got := names(t, o.Dir); slices.Contains(got, "store.removed") {
		t.Errorf("left: %q", got)
	}
}

package processor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInstance(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenInstance(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := first.surplus(2); len(got) > 0 {
		t.Errorf("a new folder has the surplus %v", got)
	}
	if err := first.hold(first.seats(3)); err != nil {
		t.Fatal(err)
	}
	again, err := OpenInstance(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Name != first.Name || !slices.Equal(again.held, first.seats(3)) {
		t.Errorf("read back %+v, want the seats %v", again, first.seats(3))
	}
	if again.run == first.run {
		t.Error("two runs can't be told from each other")
	}
	if got := again.surplus(1); !slices.Equal(got, []string{first.Name + "-1", first.Name + "-2"}) {
		t.Errorf("the surplus of one worker is %v", got)
	}
	if other, err := OpenInstance(""); err != nil || other.Name == first.Name {
		t.Errorf("without a folder: %+v, %v", other, err)
	}
}

// The release before kept one seat, whose name was all that the file held.
func TestInstanceOfTheReleaseBefore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "instance"), []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := OpenInstance(dir)
	if err != nil {
		t.Fatal(err)
	}
	if i.seat(0) != "0123456789abcdef" || !slices.Equal(i.held, []string{i.seat(0)}) {
		t.Errorf("the instance is %+v", i)
	}
}

func TestInstanceIsDamaged(t *testing.T) {
	for _, text := range []string{"", "\n", "x", "0123456789abcde", "0123456789abcdeg\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "instance"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenInstance(dir); err == nil || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

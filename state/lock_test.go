package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childDir names the environment variable that makes the test binary a process
// that opens a state folder and commits until it is killed.
const childDir = "STATE_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runChild(dir string) error {
	s, err := Open(Options{Dir: dir, App: "app", ClusterID: "cluster", CacheBytes: 8 << 20})
	if err != nil {
		return err
	}
	o := s.NewOverlay()
	for n := int64(1); ; n++ {
		if err := applyNumbered(o, n); err != nil {
			return err
		}
		if n == 5000 { // some of it is on the disk by now
			fmt.Println("running")
		}
	}
}

// Another process holds the folder until it is killed; what it leaves agrees.
func TestKilledProcessLeavesAUsableFolder(t *testing.T) {
	o := options(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+o.Dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "running\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}

	_, err = Open(o)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("is in use by another process (pid %d)", child.Process.Pid)) {
		t.Errorf("with a child on it: got %v", err)
	}
	must(t, child.Process.Kill())
	if err := child.Wait(); err == nil {
		t.Error("the child was not killed")
	}

	s := open(t, o)
	cp, ok, err := s.Checkpoint(0)
	must(t, err)
	r, err := s.Get(0, key("all", "t"))
	must(t, err)
	if !ok || r == nil || r.Seen.SeenAt != cp.Next {
		t.Fatalf("checkpoint %v, record %v", cp, r)
	}
	if got := int64(len(texts(t, s, 0))); got != cp.Next+1 {
		t.Errorf("%d records at checkpoint %d", got, cp.Next)
	}
}

func TestSecondStoreInAProcessIsRefused(t *testing.T) {
	o := options(t)
	open(t, o)
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}

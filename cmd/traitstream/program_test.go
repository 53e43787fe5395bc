package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if builtIn != "" {
			_ = os.RemoveAll(builtIn) // what is left of it is a file among temporary ones
		}
		os.Exit(status)
	}))
}

// builtIn is the folder of the program, if one was built.
var builtIn string

// built builds the program, once for all tests.
var built = sync.OnceValues(func() (program string, err error) {
	if builtIn, err = os.MkdirTemp("", "traitstream-test-"); err != nil {
		return "", err
	}
	program = filepath.Join(builtIn, "traitstream")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// buildProgram returns the path of the program, which can be killed as a process of
// its own.
func buildProgram(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatalf("building the program: %v", err)
	}
	return program
}

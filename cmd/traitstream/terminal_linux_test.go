package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal on which a command runs.
type terminal struct {
	side  *os.File // the command's
	user  *os.File // the other end, where its user types and reads
	shown output
	read  chan struct{} // closed when all is read that was shown
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	control := func(fd uintptr) {
		number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		err = errors.Join(err, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100}))
	}
	raw, connErr := user.SyscallConn()
	if connErr != nil {
		t.Fatal(connErr)
	}
	if connErr = raw.Control(control); connErr != nil || err != nil {
		t.Fatal(connErr, err)
	}
	side, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{side: side, user: user, read: make(chan struct{})}
	go func() {
		defer close(x.read)
		b := make([]byte, 4096)
		for {
			n, err := user.Read(b)
			if err != nil {
				return // the command's side is closed
			}
			_, _ = x.shown.Write(b[:n])
		}
	}()
	t.Cleanup(func() {
		x.close()
		_ = user.Close()
	})
	return x
}

// close takes the command's side away, and waits for what was shown before.
func (x *terminal) close() {
	_ = x.side.Close()
	<-x.read
}

// typing runs a command whose user types something, and returns what it prints to standard
// output and what is on the terminal.
func typing(t *testing.T, text string, args ...string) (status int, stdout, shown string) {
	t.Helper()
	x := newTerminal(t)
	if _, err := x.user.WriteString(text); err != nil {
		t.Fatal(err)
	}
	var out output
	m := &Main{Stdin: x.side, Stdout: &out, Stderr: x.side}
	status = m.Run(t.Context(), args)
	x.close()
	return status, out.String(), strings.ReplaceAll(x.shown.String(), "\r\n", "\n")
}

//go:build unix

package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// abandoned tells whether output goes into a pipe that nobody reads any more.
func abandoned(output io.Writer) bool {
	file, ok := output.(*os.File)
	if !ok {
		return false
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		pipe := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(pipe, 0)
		gone = err == nil && n > 0 && pipe[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
	return err == nil && gone
}

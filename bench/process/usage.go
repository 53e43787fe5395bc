package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc (proc(5)); it is this on all Linux
// systems of today.
const tick = 10 * time.Millisecond

// CPU is the time that the program has spent on processors, in user and system
// mode.
func (p *Process) CPU() time.Duration {
	d, _ := CPU(p.PID()) // 0 when it has ended
	return d
}

// CPU is the time that a process has spent on processors.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is a name in parentheses, which may hold blanks.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const user, system = 14 - 3, 15 - 3
	var sum time.Duration
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// Busy is the time that all processors of the machine have worked, for whomever.
func Busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return busy(b)
}

// busy adds up the first line of /proc/stat (proc(5)): its fourth and fifth time
// are those of waiting, and what follows the seventh was not had or was counted in
// the first two.
func busy(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var sum time.Duration
	for i, field := range fields[1:8] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// Memory is what a program has in memory now, and had at most, bytes. Both are 0
// when it has ended.
func (p *Process) Memory() (now, peak int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, 0
	}
	return kilobytes(b, "VmRSS:"), kilobytes(b, "VmHWM:")
}

func kilobytes(status []byte, name string) int64 {
	_, rest, ok := bytes.Cut(status, []byte("\n"+name))
	fields := bytes.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64) // the kernel's
	return n << 10
}

//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// startKind tells what went before a start.
type startKind string

const (
	freshStart   startKind = "at first"
	afterKill    startKind = "after kill -9"
	afterAbsence startKind = "after kill -9 and its session"
	afterWipe    startKind = "after kill -9, without its state"
	afterStop    startKind = "after an interrupt"
	afterExit    startKind = "after an unexpected exit"
)

// stopLimit is how long a process may take to end when it is asked to.
const stopLimit = 30 * time.Second

// member is one place of a process, with a state folder and a port.
type member struct {
	w                         *world
	name, home, program, http string

	busy sync.Mutex // held by who does something to it

	mu     sync.Mutex
	run    *run
	starts int
}

// run is a process from its start to its end.
type run struct {
	cmd     *exec.Cmd
	log     string
	began   time.Time
	asked   atomic.Int32 // the signal that it was sent to end, 0: none
	may     bool         // end by itself, without an error
	ended   chan struct{}
	lastSay string // of its log, once it has ended
	err     error  // why it has ended
}

func (m *member) config() string { return filepath.Join(m.home, "traitstream.yaml") }

// start starts the process, unless the test is over.
func (m *member) start(kind startKind, more ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.w.over.Load() {
		return
	}
	m.starts++
	r := &run{log: filepath.Join(m.home, fmt.Sprintf("%03d.log", m.starts)), began: time.Now(), may: len(more) > 0, ended: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		m.w.t.Error(err)
		return
	}
	defer log.Close()
	r.cmd = exec.Command(m.program, append([]string{"run", "-c", m.config()}, more...)...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	// It ends with the test, also where the test has no time to say so.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		m.w.t.Error(err)
		return
	}
	m.run = r
	m.w.running.Go(func() { m.await(r) })
	m.w.running.Go(func() { m.probe(r, kind) })
}

// await waits for a process and judges its end.
func (m *member) await(r *run) {
	r.err = r.cmd.Wait()
	r.lastSay = lastLine(r.log)
	close(r.ended)
	if m.expected(r) {
		return
	}
	m.w.count("unexpected exits")
	m.w.t.Errorf("%7.2f s  %s ended by itself: %v, %s: %s", time.Since(m.w.began).Seconds(), m.name, r.err, r.log, r.lastSay)
	m.busy.Lock()
	defer m.busy.Unlock()
	if m.current() == r {
		m.start(afterExit)
	}
}

func (m *member) expected(r *run) bool {
	var exit *exec.ExitError
	switch syscall.Signal(r.asked.Load()) {
	case syscall.SIGKILL:
		return errors.As(r.err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	case syscall.SIGTERM:
		if r.err != nil && strings.Contains(r.lastSay, "the brokers did not answer in time") {
			m.w.count("interrupts that could not commit") // a broker was away; the words are the program's promise
			return true
		}
		return r.err == nil
	}
	return r.may && r.err == nil
}

func (m *member) current() *run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run
}

// kill ends the process at once, if it runs.
func (m *member) kill() { m.end(syscall.SIGKILL, stopLimit) }

// stop asks the process to end, once it can listen to that.
func (m *member) stop(ctx context.Context) {
	m.untilUp(ctx)
	m.end(syscall.SIGTERM, stopLimit)
}

func (m *member) end(signal syscall.Signal, limit time.Duration) {
	r := m.current()
	if r == nil {
		return
	}
	r.asked.Store(int32(signal))
	m.signal(signal)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.ended:
		return
	case <-timer.C:
	}
	m.w.t.Errorf("%s has not ended within %s of signal %v", m.name, limit, signal)
	r.asked.Store(int32(syscall.SIGKILL))
	m.signal(syscall.SIGKILL)
	<-r.ended
}

// signal sends a signal to the process, unless it has ended.
func (m *member) signal(s syscall.Signal) {
	if err := m.current().cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		m.w.t.Errorf("%s: %v", m.name, err)
	}
}

// untilUp waits until the process has all that it needs to begin, or has ended.
func (m *member) untilUp(ctx context.Context) {
	for r := m.current(); r != nil && m.page("/livez") == ""; {
		select {
		case <-r.ended:
			return
		default:
			if !wait(ctx, 50*time.Millisecond) {
				return
			}
		}
	}
}

// probe measures how long a process takes to its first commit.
func (m *member) probe(r *run, kind startKind) {
	before := m.w.brokerFaults.Load()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.ended:
			return
		case <-tick.C:
		}
		if m.hasCommitted() {
			if after := m.w.brokerFaults.Load(); after != before || after%2 == 1 {
				kind += ", a broker being away"
			}
			m.w.recovered(m, kind, time.Since(r.began))
			return
		}
	}
}

func (m *member) hasCommitted() bool { return m.commits() > 0 }

// commits counts the transactions since the process was started.
func (m *member) commits() float64 {
	for line := range strings.Lines(m.page("/metrics")) {
		if text, ok := strings.CutPrefix(line, `traitstream_commits_total{result="committed"} `); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				m.w.t.Error(err)
			}
			return n
		}
	}
	return 0
}

func (w *world) recovered(m *member, kind startKind, took time.Duration) {
	w.mu.Lock()
	w.recoveries[kind] = append(w.recoveries[kind], took)
	w.mu.Unlock()
	w.logf("%s committed %.2f s after its start %s", m.name, took.Seconds(), kind)
}

// page returns a page of the process, or nothing.
func (m *member) page(path string) string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + m.http + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

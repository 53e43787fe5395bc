// Package process runs the programs that are measured, and measures them by what
// the Linux kernel has counted.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a program that was started.
type Process struct {
	Began time.Time
	Log   string // what it has printed
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
}

// Spec is what to start.
type Spec struct {
	Name string // of the log
	Dir  string // where the log is written
	Args []string
	Env  []string // more than this process has
}

// Start starts a program. It is killed when this process ends.
func Start(s Spec) (*Process, error) {
	p := &Process{Log: filepath.Join(s.Dir, s.Name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Name, err)
	}
	defer func() { _ = log.Close() }()             // the program has its own
	p.cmd = exec.Command(s.Args[0], s.Args[1:]...) //nolint:noctx // it is killed or stopped
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), s.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.Began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Name, err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the program as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// Stop asks the program to end.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		const terminated = 128 + int(syscall.SIGTERM) // what a JVM says after it has done so in good order
		if p.cmd.ProcessState.ExitCode() == terminated {
			return nil
		}
		return p.Err()
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("it had to be killed: %w", ctx.Err())
	}
}

// Err tells why a program that has ended did so: nil for a good end.
func (p *Process) Err() error {
	if p.err != nil {
		return fmt.Errorf("%w; see %s", p.err, p.Log)
	}
	return nil
}

package contest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"traitstream/bench/cluster"
	"traitstream/bench/process"
)

// Restored is what a start on an empty disk came to.
type Restored struct {
	Contestant string        `json:"contestant"`
	Input      string        `json:"input"`
	Keys       int64         `json:"keys"`
	Records    int64         `json:"changelog_offsets"`
	Restore    time.Duration `json:"restore"` // from the first task's begin to the last one's end
	Ready      time.Duration `json:"ready"`   // from the process's start
	CPU        time.Duration `json:"cpu"`     // until then
	PeakMemory int64         `json:"peak_memory_bytes"`
	Check      string        `json:"check"` // of the run before: "exact", or what differs
}

// Restore runs traitstream to the end of an input, takes its state away, and
// starts it again.
func (c *Court) Restore(ctx context.Context, who *Contestant, in *Input) (*Restored, error) {
	r, err := c.Run(ctx, who, in)
	if err != nil {
		return nil, err
	}
	s := &Stage{Input: in, Brokers: c.Cluster.Brokers, Workers: c.Workers, Port: c.Port,
		Work: c.Work + "/" + who.Name, Dir: c.Work + "/" + who.Name + "/" + in.Name}
	if err := os.RemoveAll(filepath.Join(s.Dir, "state")); err != nil {
		return nil, fmt.Errorf("taking the state away: %w", err)
	}
	if err := os.Remove(filepath.Join(s.Dir, who.Name+".log")); err != nil {
		return nil, err
	}
	p, err := c.Start(who, s)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	out := &Restored{Contestant: who.Name, Input: in.Name, Keys: in.Digest.Keys, Check: r.Check}
	if err := c.untilReady(ctx, p, s.Port); err != nil {
		return nil, err
	}
	out.Ready, out.CPU = time.Since(p.Began), p.CPU()
	_, out.PeakMemory = p.Memory()
	return out, out.readLog(p.Log)
}

func (c *Court) untilReady(ctx context.Context, p *process.Process, port int) error {
	for {
		if ready(ctx, port) {
			return nil
		}
		select {
		case <-p.Ended():
			return fmt.Errorf("it ended: %w", p.Err())
		default:
		}
		if err := cluster.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func ready(ctx context.Context, port int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // nothing was read
	return resp.StatusCode == http.StatusOK
}

// readLog finds in a log when restores began and ended.
func (r *Restored) readLog(path string) error {
	log, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the log of a restore: %w", err)
	}
	var first, last time.Time
	for text := range bytes.Lines(log) {
		var line struct {
			Time    time.Time `json:"time"`
			Msg     string    `json:"msg"`
			Offsets int64     `json:"offsets"`
		}
		if json.Unmarshal(text, &line) != nil {
			continue
		}
		switch line.Msg {
		case "restoring state":
			if first.IsZero() {
				first = line.Time
			}
		case "state is restored":
			last = line.Time
			r.Records += line.Offsets
		}
	}
	if first.IsZero() || last.IsZero() {
		return fmt.Errorf("%s tells of no restore, as it does of short ones: is the input too small?", path)
	}
	r.Restore = last.Sub(first)
	return nil
}

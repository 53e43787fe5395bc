package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// processStatus is what a process says of itself at /status. It holds no data
// of users.
type processStatus struct {
	Version  string       `json:"version"`
	Instance string       `json:"instance"`
	Ready    bool         `json:"ready"`
	Since    time.Time    `json:"since"` // when the process began to answer
	Tasks    []taskStatus `json:"tasks"`
}

// The states of a task. A process tells the first two of its own; the others are
// for the tasks of those that don't answer, and of nobody.
const (
	stateRunning   = "running"
	stateRestoring = "restoring"
	stateUnknown   = "unknown"
	stateStopped   = "stopped"
)

// taskStatus is how a task stands in its process. What a restore has done is
// counted in changelog offsets.
type taskStatus struct {
	Task   int32  `json:"task"`
	Worker int    `json:"worker"`
	State  string `json:"state"`
	restoreStatus
}

// restoreStatus is how far a restore is; all is zero where none is under way.
type restoreStatus struct {
	Restored    int64    `json:"restored"`
	Total       int64    `json:"total"`
	PerSecond   float64  `json:"per_second"`
	SecondsLeft *float64 `json:"seconds_left"` // null: not known
}

// statusHandler answers how the process stands.
func statusHandler(instance string, ready func() bool, r *restoration) http.Handler {
	since := r.now().UTC().Truncate(time.Millisecond)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := processStatus{Version: version(), Instance: instance, Ready: ready(), Since: since, Tasks: r.statuses()}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // the client has gone
	})
}

// statuses returns how each task stands.
func (r *restoration) statuses() []taskStatus {
	tasks, _ := r.look()
	statuses := make([]taskStatus, len(tasks))
	for i, t := range tasks {
		s := taskStatus{Task: t.Task, Worker: t.Worker, State: stateRestoring}
		if t.Ready {
			s.State = stateRunning
		}
		if t.Total > 0 {
			s.Restored, s.Total = t.Restored, t.Total
			s.PerSecond = perSecond(t.Restored, r.now().Sub(t.Since))
			if wait := left(t.Total-t.Restored, s.PerSecond); wait >= 0 {
				seconds := wait.Seconds()
				s.SecondsLeft = &seconds
			}
		}
		statuses[i] = s
	}
	return statuses
}

const (
	// askTimeout is how long a process may take to say how it stands.
	askTimeout = 2 * time.Second
	// answerBytes bounds what is read of its answer.
	answerBytes = 16 << 20
)

// askProcesses asks the members' processes how they stand, all at a time, and
// returns the answers by process. One that can't be reached is absent.
func askProcesses(ctx context.Context, members []member) map[string]processStatus {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var (
		mu      sync.Mutex
		answers = map[string]processStatus{}
		asked   = map[string]bool{}
		asking  sync.WaitGroup
	)
	for _, m := range members {
		if m.HTTP == "" || asked[m.Process] || !mayReach(m.HTTP, m.host) {
			continue
		}
		asked[m.Process] = true
		asking.Go(func() {
			// At an address that was given to another process since, that one answers.
			if s, err := askProcess(ctx, m.HTTP); err == nil && s.Instance == m.Process {
				mu.Lock()
				defer mu.Unlock()
				answers[m.Process] = s
			}
		})
	}
	asking.Wait()
	return answers
}

// askProcess asks at an address, host:port, never by way of a proxy.
func askProcess(ctx context.Context, address string) (s processStatus, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status", http.NoBody)
	if err != nil {
		return s, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("status %d", resp.StatusCode)
	}
	return s, json.NewDecoder(io.LimitReader(resp.Body, answerBytes)).Decode(&s)
}

// mayReach tells whether an address can be that of the member from here: a
// loopback address means the member's own machine, which is known by its host.
func mayReach(address, host string) bool {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return true
	}
	return isThisMachine(host)
}

// isThisMachine tells whether a host as the broker saw it is this one.
func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	if ip = ip.Unmap(); ip.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == ip {
			return true
		}
	}
	return false
}

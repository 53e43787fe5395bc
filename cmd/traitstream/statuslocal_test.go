package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// readiness is a process that answers at /readyz, on all interfaces.
func readiness(t *testing.T, status int, text string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", says(status, text))
	s := &http.Server{Handler: mux, ReadHeaderTimeout: localTimeout}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The exit status is the health check: it needs no broker, and reaches whatever
// the process listens on.
func TestStatusLocal(t *testing.T) {
	well, restoring := readiness(t, 200, "ok\n"), readiness(t, 503, "restoring 1 task\n")
	for _, c := range []struct {
		listen, format string
		status         int
		stdout, stderr string
	}{
		{"127.0.0.1:" + well, "text", exitDone, "ready\n", ""},
		{":" + well, "text", exitDone, "ready\n", ""},
		{"0.0.0.0:" + well, "text", exitDone, "ready\n", ""},
		{"127.0.0.1:" + well, "json", exitDone, `{"ready":true,"answer":"ok"}` + "\n", ""},
		{"127.0.0.1:" + restoring, "text", exitFailed, "", "traitstream: not ready: restoring 1 task\n"},
		{"127.0.0.1:" + restoring, "json", exitFailed, `{"ready":false,"answer":"restoring 1 task"}` + "\n", ""},
		{freeAddress(t), "text", exitFailed, "", "check that the process runs"},
		{"", "text", exitUsage, "", "names no port"},
		{"127.0.0.1:0", "text", exitUsage, "", "names no port"},
	} {
		config := write(t, t.TempDir(), "c.yaml", "http: {listen: \""+c.listen+"\"}\n")
		status, stdout, stderr := program(t, "", "status", "--local", "--format", c.format, "-c", config)
		if status != c.status || stdout != c.stdout || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("%q, %s: status %d, output %q, errors %q", c.listen, c.format, status, stdout, stderr)
		}
	}
}

// What counts the dead letters asks the brokers.
func TestStatusLocalAsksNobodyElse(t *testing.T) {
	status, _, stderr := program(t, "", "status", "--local", "--dead-letters", "all")
	if status != exitUsage || !strings.Contains(stderr, "--dead-letters") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

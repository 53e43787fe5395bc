package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// localTimeout is how long the process may take to answer `status --local`.
const localTimeout = 3 * time.Second

// localStatus is what the process on this machine says of itself.
type localStatus struct {
	Ready  bool   `json:"ready"`
	Answer string `json:"answer"` // a sentence on what it waits for, or ok
}

// statusLocal asks the process that listens at an address whether it is ready,
// and nobody else: a health check must not depend on the brokers.
func (m *Main) statusLocal(ctx context.Context, listen string) error {
	if _, port, err := net.SplitHostPort(listen); err != nil || port == "0" {
		return usage("--local asks at http.listen, which names no port: %q", listen)
	}
	s, err := askReady(ctx, listen)
	if err != nil {
		return fmt.Errorf("asking at %s, check that the process runs and has the same http.listen: %w", listen, err)
	}
	if m.format == "json" {
		if err := json.NewEncoder(m.Stdout).Encode(s); err != nil || s.Ready {
			return err
		}
		return errReported
	}
	if !s.Ready {
		return errors.New("not ready: " + s.Answer)
	}
	_, err = fmt.Fprintln(m.Stdout, "ready")
	return err
}

// askReady asks at an address that is listened on: one without a host, or with
// that of all interfaces, stands for this machine.
func askReady(ctx context.Context, listen string) (s localStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/readyz", http.NoBody)
	if err != nil {
		return s, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listen)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return s, err
	}
	return localStatus{Ready: resp.StatusCode == http.StatusOK, Answer: strings.TrimSpace(string(body))}, nil
}

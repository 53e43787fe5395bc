package main

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serving tests with a server that answers ok to GET /.
func serving(t *testing.T, test func(t *testing.T, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
		s := newHTTPServer(mux, slog.New(slog.DiscardHandler))
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		done := make(chan error)
		go func() { done <- s.Serve(l) }()
		test(t, func() net.Conn {
			client, server := net.Pipe()
			l.conns <- server
			return client
		})
		_ = s.Close()
		<-time.After(time.Second) // the server lingers over a connection that it has refused
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// status sends what a client writes and returns the answer's status line.
func status(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	go func() { _, _ = io.WriteString(c, request) }()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Errorf("there is no answer: %v", err)
	}
	_ = c.Close()
	return strings.TrimSpace(line)
}

func TestServerRefuses(t *testing.T) {
	serving(t, func(t *testing.T, dial func() net.Conn) {
		for request, want := range map[string]string{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                           "200 OK",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n":                     "405 Method Not Allowed",
			"GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n":                                 "404 Not Found",
			"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n": "431 Request Header Fields Too Large",
			"no request\r\n\r\n": "400 Bad Request",
		} {
			if got := status(t, dial(), request); got != "HTTP/1.1 "+want {
				t.Errorf("%.40q: %s, want %s", request, got, want)
			}
		}
	})
}

// A client that is slow to ask, or asks nothing more, is let go.
func TestServerDoesNotWait(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		most time.Duration
	}{
		"for a request": {"", 5 * time.Second},
		"for headers":   {"GET / HTTP/1.1\r\nHost: a\r\n", 5 * time.Second},
		"for a body":    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", 10 * time.Second},
		"for another":   {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			serving(t, func(t *testing.T, dial func() net.Conn) {
				conn, began := dial(), time.Now()
				_, _ = io.WriteString(conn, c.sent)
				_, _ = io.Copy(io.Discard, conn) // until the server closes it
				if took := time.Since(began); took > c.most {
					t.Errorf("it waits for %s", took)
				}
			})
		})
	}
}

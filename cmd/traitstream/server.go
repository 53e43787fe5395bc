package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/processor"
)

// stuckAfter is how long the loop may not come round, with a broker that
// answers, until the process counts as dead.
const stuckAfter = 60 * time.Second

// server is the HTTP listener of health and metrics.
type server struct {
	address string
	http    *http.Server
	done    chan struct{}
}

// startServer listens; an empty address is no listener.
func startServer(listen string, a *app, p *processor.Processor) (*server, error) {
	s := &server{done: make(chan struct{})}
	if listen == "" {
		close(s.done)
		return s, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP (set http.listen to a free address): %w", err)
	}
	registerProcess(a)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { live(w, r, a.conn.client, p) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, p) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	s.address = l.Addr().String()
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("the HTTP listener ended", "error", err)
		}
	}()
	return s, nil
}

// live answers 503 only when the loop stands still though the broker answers:
// a restart would not bring a broker back.
func live(w http.ResponseWriter, r *http.Request, cl *kgo.Client, p *processor.Processor) {
	if idle := time.Since(p.LastBeat()); idle > stuckAfter {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if cl.Ping(ctx) == nil {
			http.Error(w, fmt.Sprintf("the loop has not come round for %s", idle.Round(time.Second)), http.StatusServiceUnavailable)
			return
		}
	}
	_, _ = fmt.Fprintln(w, "ok") // the client has gone
}

func ready(w http.ResponseWriter, p *processor.Processor) {
	if !p.Ready() {
		http.Error(w, "waiting for an assignment, or restoring state", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // the client has gone
}

// registerProcess adds the metrics of the process and its store.
func registerProcess(a *app) {
	gauge := func(name, help string, value func() float64) {
		a.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "traitstream", Name: name, Help: help}, value))
	}
	gauge("state_bytes", "Disk space that the local state takes.", func() float64 { return float64(a.store.DiskBytes()) })
	gauge("state_disk_free_bytes", "Free space on the volume of the local state.", func() float64 {
		free, err := a.store.FreeBytes()
		if err != nil {
			return -1
		}
		return float64(free)
	})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "traitstream", Name: "build_info", Help: "1, labelled by version.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": goVersion()},
	})
	info.Set(1)
	a.registry.MustRegister(info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// close stops listening and waits for the requests that are under way.
func (s *server) close() error {
	if s.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.done
	return err
}

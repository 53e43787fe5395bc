package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/net/netutil"

	"traitstream/explorer"
	"traitstream/processor"
)

// stuckAfter is how long the loop may not come round, with a broker that
// answers, until the process counts as dead.
const stuckAfter = 60 * time.Second

// maxConnections bounds how many clients are served at a time; more wait.
const maxConnections = 256

// server is the HTTP listener of health, status and metrics.
type server struct {
	listener net.Listener // nil: none
	address  string       // that is listened on; empty: none
	http     *http.Server // nil until it serves
	done     chan struct{}
}

// listenHTTP listens; an empty address is no listener. Requests wait until it
// serves.
func listenHTTP(listen string) (*server, error) {
	s := &server{done: make(chan struct{})}
	if listen == "" {
		return s, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP (set http.listen to a free address): %w", err)
	}
	s.listener, s.address = l, l.Addr().String()
	return s, nil
}

// advertised returns where others reach the process: what is configured, or else
// the address that is listened on, unless it stands for all of the machine's.
func (s *server) advertised(configured string) string {
	if configured != "" || s.listener == nil {
		return configured
	}
	if a, ok := s.listener.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return ""
	}
	return s.address
}

// serve answers requests until the server is closed.
func (s *server) serve(a *app, p *processor.Processor, r *restoration) {
	if s.listener == nil {
		return
	}
	registerProcess(a, p)
	s.http = newHTTPServer(endpoints(a, p, r), a.log)
	go func() {
		defer close(s.done)
		if err := s.http.Serve(netutil.LimitListener(s.listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("the HTTP listener ended", "error", err)
		}
	}()
}

// endpoints are what is answered. All that tells of users is guarded.
func endpoints(a *app, p *processor.Processor, r *restoration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { live(w, r, a.conn.client, p) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, p.Ready(), r) })
	mux.Handle("GET /status", statusHandler(a.instance.Name, p.Ready, r))
	mux.Handle("/v1/users/", guarded(a.cfg.HTTP.Token, explorer.Handler(a.explored(p))))
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	if a.cfg.HTTP.Pprof {
		mux.Handle("GET /debug/pprof/", guarded(a.cfg.HTTP.Token, profiles()))
	}
	return mux
}

// explored is what users are looked up in.
func (a *app) explored(p *processor.Processor) explorer.Options {
	return explorer.Options{
		Teller: explorer.Teller{App: a.cfg.App, Traits: a.traits, Origin: explorer.Origin{Kind: explorer.FromOwner, Instance: a.instance.Name}},
		Tasks:  a.topics.Tasks, Ask: p.Ask,
		Owner: newOwnerFinder(a.conn.client, a.cfg.Group(), a.cfg.InboxTopic()).find,
	}
}

// profiles are those of net/http/pprof, but for the command line, which may hold
// secrets of whatever starts the process.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/pprof/cmdline", http.NotFoundHandler())
	return mux
}

// newHTTPServer returns a server that gives no client more than a little time and
// memory.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
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

// ready says while it is not what it waits for.
func ready(w http.ResponseWriter, isReady bool, r *restoration) {
	if isReady {
		_, _ = fmt.Fprintln(w, "ok") // the client has gone
		return
	}
	why := "waiting for the group to give out the tasks"
	if _, s := r.look(); s.behind > 0 {
		why = s.sentence()
	}
	http.Error(w, why, http.StatusServiceUnavailable)
}

// registerProcess adds the metrics of the process and its store.
func registerProcess(a *app, p *processor.Processor) {
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
	gauge("ready", "1 once the group has given out the tasks and those of this process are restored, else 0.", func() float64 {
		if p.Ready() {
			return 1
		}
		return 0
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
	switch {
	case s.listener == nil:
		return nil
	case s.http == nil:
		return s.listener.Close()
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

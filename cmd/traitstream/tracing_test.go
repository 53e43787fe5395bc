package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Spans reach the collector that the environment names, and what is written is the
// same with them as without.
func TestTracing(t *testing.T) {
	exported := make(chan string, 1000)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		exported <- r.URL.Path + string(b)
	}))
	defer collector.Close()
	changes := func(endpoint string) string {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		s := newStage(t, "")
		file := write(t, s.dir, "one.jsonl", segmentEvent("user-of-the-test", "f", "on", 1))
		r := s.run(t)
		succeed(t, "import", "-c", s.config, file)
		var tapped string
		r.until("a change is out", func() bool {
			tapped = succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")
			return tapped != ""
		})
		if status := r.stop(); status != exitDone {
			t.Fatalf("stopped with status %d: %s", status, r.stderr)
		}
		// The time at which it was imported differs.
		return regexp.MustCompile(`"timestamp":"[^"]*",`).ReplaceAllString(tapped, "")
	}
	untraced := changes("")
	if len(exported) > 0 {
		t.Error("spans are exported though no endpoint is set")
	}
	if traced := changes(collector.URL); traced != untraced {
		t.Errorf("with tracing a change has %s, without %s", traced, untraced)
	}
	all := ""
	for len(exported) > 0 {
		all += <-exported
	}
	for _, want := range []string{"/v1/traces", "traitstream", "impressions receive", "traitstream-traits publish"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing exported tells of %s", want)
		}
	}
	if strings.Contains(all, "user-of-the-test") {
		t.Error("the spans tell of users")
	}
}

// A collector that is away does not keep the process from its end.
func TestTracingWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+freeAddress(t))
	var log output
	tracing, err := startTracing(t.Context(), "app", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || len(tracing.options()) != 1 {
		t.Fatalf("%v, %v", tracing, err)
	}
	_, span := tracing.provider.Tracer("test").Start(t.Context(), "a span")
	span.End()
	began := time.Now()
	err = tracing.close()
	if took := time.Since(began); took > lastSpans+time.Second {
		t.Errorf("the end takes %s", took)
	}
	if err == nil && !strings.Contains(log.String(), "spans are lost") {
		t.Error("nothing says that spans are lost")
	}
}

// A trace goes on with the ids of who wrote a record, without what it says beside.
func TestTracingTakesIdsAlone(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	carrier := propagation.MapCarrier{"traceparent": parent, "tracestate": "vendor=user-4711"}
	found := trace.SpanContextFromContext(listening{}.Extract(t.Context(), carrier))
	if found.TraceID().String() != parent[3:35] || found.TraceState().Len() != 0 {
		t.Errorf("it takes %v with %s", found.TraceID(), found.TraceState())
	}
	if none := (propagation.MapCarrier{}); trace.SpanContextFromContext(listening{}.Extract(t.Context(), none)).IsValid() {
		t.Error("it takes a trace from nothing")
	}
}

// A secret in a variable that is not written as it must be is not shown.
func TestTracingShowsNoSecret(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+freeAddress(t))
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer "+secrets[1])
	shown := stderrOf(t, func() {
		tracing, err := startTracing(t.Context(), "app", slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err == nil {
			err = tracing.close()
		}
		t.Log(err)
		withoutSecrets(t, "the error", fmt.Sprint(err))
	})
	withoutSecrets(t, "standard error", shown)
}

// stderrOf returns what is written to the process's standard error meanwhile.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = w
	do()
	os.Stderr = before
	_ = w.Close()
	shown, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(shown)
}

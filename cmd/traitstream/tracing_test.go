package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
		_, headers, _ := strings.Cut(tapped, `"headers"`)
		return headers
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

// A collector that is away does not keep the process from its work or its end.
func TestTracingWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+freeAddress(t))
	tracing, err := startTracing(t.Context(), "app")
	if err != nil || len(tracing.options()) != 1 {
		t.Fatalf("%v, %v", tracing, err)
	}
	if err := tracing.close(); err != nil {
		t.Error(err)
	}
}

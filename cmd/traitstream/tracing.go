package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// lastSpans is how long the end waits for what was not exported yet.
const lastSpans = 2 * time.Second

// tracing exports spans of what is fetched and produced. It is off, and nil, where
// no endpoint is set.
type tracing struct{ provider *trace.TracerProvider }

// startTracing reads OpenTelemetry's own variables (OTLP over HTTP, in protobuf):
// an endpoint turns it on, OTEL_TRACES_SAMPLER and the like say how much is
// exported.
func startTracing(ctx context.Context, app string) (*tracing, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("setting up tracing (check the OTEL_ variables): %w", err)
	}
	// Later ones win: what is set in the environment.
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("traitstream"), semconv.ServiceNamespace(app), semconv.ServiceVersion(version())),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("setting up tracing (check OTEL_RESOURCE_ATTRIBUTES): %w", err)
	}
	return &tracing{trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))}, nil
}

// options are those of a client that is traced.
func (t *tracing) options() []kgo.Opt {
	if t == nil {
		return nil
	}
	tracer := kotel.NewTracer(kotel.TracerProvider(t.provider), kotel.TracerPropagator(listening{}), kotel.KeyFormatter(noKey))
	return []kgo.Opt{kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(tracer)).Hooks()...)}
}

var errNoKey = errors.New("keys are users' ids")

// noKey keeps users out of the spans.
func noKey(*kgo.Record) (string, error) { return "", errNoKey }

// close exports what is left. Nobody waits long for a collector that is away.
func (t *tracing) close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("exporting the last spans: %w", err)
	}
	return nil
}

// listening goes on with the traces of whoever wrote an impression, but puts
// nothing into what is produced: a change is the same whether it is traced or not.
type listening struct{ propagation.TraceContext }

// Inject does nothing.
func (listening) Inject(context.Context, propagation.TextMapCarrier) {}

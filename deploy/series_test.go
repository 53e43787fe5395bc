package deploy

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// step is between two values of a made-up series, and between two evaluations.
const step = time.Minute

// made are series in memory, which queries are evaluated on.
type made struct {
	series []*storage.SeriesEntry
	engine *promql.Engine
}

func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// newMade reads series in promtool's notation: name{labels} and values, one a
// step from 0.
func newMade(t *testing.T, series ...string) *made {
	t.Helper()
	m := &made{engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, Parser: newParser(),
	})}
	t.Cleanup(func() { _ = m.engine.Close() })
	for _, s := range series {
		lset, values, err := newParser().ParseSeriesDesc(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		var samples []chunks.Sample
		for i, v := range values {
			if !v.Omitted {
				samples = append(samples, point{int64(i) * step.Milliseconds(), v.Value})
			}
		}
		m.series = append(m.series, storage.NewListSeries(lset, samples))
	}
	return m
}

// query evaluates an expression at a time after the series' start.
func (m *made) query(t *testing.T, expr string, at time.Duration) promql.Vector {
	t.Helper()
	q := &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: m.pick}}
	query, err := m.engine.NewInstantQuery(context.Background(), q, nil, expr, time.UnixMilli(0).Add(at))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer query.Close()
	result := query.Exec(context.Background())
	if result.Err != nil {
		t.Fatalf("%s: %v", expr, result.Err)
	}
	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return slices.Clone(vector)
}

func (m *made) pick(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &entries{at: -1}
	for _, s := range m.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Lset.Get(m.Name)) }) {
			set.all = append(set.all, s)
		}
	}
	return set
}

// entries are what a query has picked.
type entries struct {
	all []*storage.SeriesEntry
	at  int
}

func (e *entries) Next() bool                      { e.at++; return e.at < len(e.all) }
func (e *entries) At() storage.Series              { return e.all[e.at] }
func (*entries) Err() error                        { return nil }
func (*entries) Warnings() annotations.Annotations { return nil }

// point is a value at a time, ms.
type point struct {
	at    int64
	value float64
}

func (p point) T() int64                    { return p.at }
func (point) ST() int64                     { return 0 }
func (p point) F() float64                  { return p.value }
func (point) H() *histogram.Histogram       { return nil }
func (point) FH() *histogram.FloatHistogram { return nil }
func (point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample         { return p }

// metricNames returns the names that an expression asks for.
func metricNames(t *testing.T, expr string) []string {
	t.Helper()
	parsed, err := newParser().ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	names := map[string]bool{}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			names[s.Name] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names))
}

package processor

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"traitstream/impression"
	"traitstream/trait"
)

// result is what became of an impression, the label of impressions_total.
type result uint8

const (
	resultChange result = iota
	resultSame
	resultDuplicate
	resultLate
	resultNotServed
	resultNoMatch
	resultSkipped
	resultDeadLetter
	resultForwarded
	results
)

var resultNames = [results]string{
	"change", "same", "duplicate", "late", "not_served", "no_match", "skipped", "dead_letter", "forwarded",
}

// Metrics are the counters and gauges of a process, registered once.
type Metrics struct {
	impressions    *prometheus.CounterVec
	replayed       *prometheus.CounterVec
	unfit          prometheus.Counter
	waited         prometheus.Counter
	changes        *prometheus.CounterVec
	deadLetters    *prometheus.CounterVec
	commits        *prometheus.CounterVec
	commitSeconds  prometheus.Histogram
	lastCommit     prometheus.Gauge
	rebalances     prometheus.Counter
	lagRecords     *prometheus.GaugeVec
	lagSeconds     *prometheus.GaugeVec
	restored       prometheus.Counter
	restoreLeft    *prometheus.GaugeVec
	skippedRecords prometheus.Counter
	lostRecords    prometheus.Counter
	registry       prometheus.Registerer // also of the client's own metrics
}

// NewMetrics registers the processor's metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "traitstream", Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "traitstream", Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "traitstream", Name: name, Help: help}, labels)
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		registry:       r,
		impressions:    counters("impressions_total", "Impressions read, by source and by what became of them.", "source", "result"),
		replayed:       counters("replayed_impressions_total", "Impressions read again by replay jobs, by what became of them.", "result"),
		unfit:          counter("definitions_too_large_total", "Impressions and traits that definitions on their way could not take, since the changelog or the traits topic would refuse them."),
		waited:         counter("replay_waited_seconds_total", "Time for which workers had history to read again, or definitions to replace, and live impressions left no room."),
		changes:        counters("changes_total", "Changes written to the traits topic.", "kind"),
		deadLetters:    counters("dead_letters_total", "Records and elements written to the dead letters.", "reason"),
		commits:        counters("commits_total", "Transactions, by how they ended.", "result"),
		rebalances:     counter("rebalances_total", "Assignments received from the group."),
		lagRecords:     gauges("task_lag_records", "Offsets between a task's place and the end of its inputs.", "task"),
		lagSeconds:     gauges("task_lag_seconds", "Age of the oldest record that a task has not processed, 0 when caught up.", "task"),
		restored:       counter("restore_records_total", "Changelog records read to restore state."),
		restoreLeft:    gauges("restore_remaining_records", "Changelog offsets that a restoring task has yet to read.", "task"),
		skippedRecords: counter("skipped_records_total", "Records that the source's retention removed before they were read."),
		lostRecords:    counter("lost_times_records_total", "Records that were to be read again for their last-seen times and that the source had removed."),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "traitstream", Name: "commit_duration_seconds", Help: "Time from flush to the transaction's end.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		lastCommit: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "traitstream", Name: "last_commit_timestamp_seconds", Help: "When the last transaction committed, Unix time.",
		}),
	}
	r.MustRegister(m.commitSeconds, m.lastCommit)
	return m
}

// tally counts what one transaction did. It enters the metrics when the
// transaction has committed, so that work done again is not counted twice.
type tally struct {
	impressions map[string]*[results]int // by source
	source      string                   // the last one
	counts      *[results]int            // its counts, or nil
	replayed    [results]int             // that jobs have read again
	unfit       int                      // what definitions on their way could not take
	deadLetters map[impression.Reason]int
	set         int
	removed     int
}

func newTally() *tally {
	return &tally{impressions: map[string]*[results]int{}, deadLetters: map[impression.Reason]int{}}
}

func (t *tally) impression(source string, r result) {
	if t.counts == nil || t.source != source {
		counts := t.impressions[source]
		if counts == nil {
			counts = new([results]int)
			t.impressions[source] = counts
		}
		t.source, t.counts = source, counts
	}
	t.counts[r]++
}

// arrived counts an impression of a record.
func (t *tally) arrived(a *arrival, r result) {
	if a.replayed {
		t.replayed[r]++
		return
	}
	t.impression(a.place.Topic, r)
}

func (t *tally) change(o trait.Outcome) {
	if o == trait.Removed {
		t.removed++
	} else {
		t.set++
	}
}

func (t *tally) reset() {
	for _, counts := range t.impressions {
		*counts = [results]int{}
	}
	t.replayed, t.unfit = [results]int{}, 0
	clear(t.deadLetters)
	t.set, t.removed = 0, 0
}

func (t *tally) addTo(m *Metrics) {
	for source, counts := range t.impressions {
		for r, n := range counts {
			if n > 0 {
				m.impressions.WithLabelValues(source, resultNames[r]).Add(float64(n))
			}
		}
	}
	m.unfit.Add(float64(t.unfit))
	for r, n := range t.replayed {
		if n > 0 {
			m.replayed.WithLabelValues(resultNames[r]).Add(float64(n))
		}
	}
	for reason, n := range t.deadLetters {
		m.deadLetters.WithLabelValues(string(reason)).Add(float64(n))
	}
	if t.set > 0 {
		m.changes.WithLabelValues("set").Add(float64(t.set))
	}
	if t.removed > 0 {
		m.changes.WithLabelValues("removed").Add(float64(t.removed))
	}
}

// forget removes what is told of a task that has gone.
func (m *Metrics) forget(task int32) {
	for _, gauge := range []*prometheus.GaugeVec{m.lagRecords, m.lagSeconds, m.restoreLeft} {
		gauge.DeleteLabelValues(taskLabel(task))
	}
}

func taskLabel(task int32) string { return strconv.Itoa(int(task)) }

package verify

import (
	"cmp"
	"slices"
	"strings"

	"traitstream/kafka"
)

// Reason tells why a trait can't be verified.
type Reason string

// The reasons.
const (
	// BeforeLog: its impression, or one that may have moved its time, was removed
	// by the source's retention.
	BeforeLog Reason = "before_log_start"
	// BeforeGroup: its impression lies before the place where the group began, or
	// that place is not known.
	BeforeGroup Reason = "before_group_start"
	// DefinitionGone: its definition is no longer configured.
	DefinitionGone Reason = "definition_gone"
	// SourceGone: its source is no longer configured.
	SourceGone Reason = "source_gone"
	// ExpiredBefore: it has expired, or may have, by definitions of before, and by
	// those of now it would not.
	ExpiredBefore Reason = "expired_before"
	// Refused: one of its impressions was refused since its change was too large.
	Refused Reason = "too_large"
	// ReplayCancelled: one of its impressions lies before the place where the group
	// began, and a replay that was cancelled may have come to it.
	ReplayCancelled Reason = "replay_cancelled"
)

// Report is what a verification comes to.
type Report struct {
	Records     int64 // of the sources that were read; more than once where there are several passes
	Impressions int64 // in them, good or bad
	Traits      int64 // that were compared
	Changes     int64 // of the traits topic that were looked at
	InFlux      int64 // traits that may say one of several things, since the group was at work
	State       int64 // records of the local state that were compared
	StateNewer  int64 // and those of which the changelog holds a newer record alone
	Differences int64
	Settled     int64 // what differed at the first look alone
	// Replacing counts tasks that go over to other definitions, or have while those are not
	// in force yet. Of these the records alone are compared, and local state with the
	// changelog; what the sources say is not.
	Replacing int
	// NotSent counts traits that are right in the state and were not sent, by the replay
	// job that has filled them in and sends nothing.
	NotSent map[string]int64
	// Unverifiable counts traits that were not found to differ and could not be
	// recomputed for certain.
	Unverifiable map[Reason]int64
	Passes       []Pass
}

// Pass tells at which offsets some tasks were compared.
type Pass struct {
	Tasks  []int32
	Ranges []Range // by topic and partition
}

// Range is what was compared of a partition: the records from From up to To. Of
// a source, what lies from To up to Until may have been processed or not; else
// Until equals To. What replay jobs have read of a source before the place where the
// group began is a range of its own.
type Range struct {
	Topic           string
	Partition       int32
	From, To, Until int64
}

func newReport() *Report {
	return &Report{Unverifiable: map[Reason]int64{}, NotSent: map[string]int64{}}
}

// add counts a pass.
func (r *Report) add(p *pass) {
	r.Records += p.records.Load()
	r.Impressions += p.impressions.Load()
	r.Traits += p.compared
	r.Changes += p.changes.Load()
	r.InFlux += p.inFlux
	r.Replacing += p.tasksReplacing
	r.State += p.state
	r.StateNewer += p.stateNewer
	for reason, n := range p.unverifiable {
		r.Unverifiable[reason] += n
	}
	for job, n := range p.notSent {
		r.NotSent[job] += n
	}
	r.Passes = append(r.Passes, Pass{Tasks: p.tasks, Ranges: p.ranges()})
}

// ranges tells where a pass looked.
func (p *pass) ranges() []Range {
	var all []Range
	for _, in := range p.cut.inputs {
		from := min(in.from, in.end)
		for _, log := range in.before() {
			all = append(all, Range{in.topic, in.number, log.From, log.To, log.To})
		}
		all = append(all, Range{in.topic, in.number, from, max(from, in.base), in.end})
	}
	for _, task := range p.tasks {
		for topic, log := range map[string]kafka.Span{
			p.o.Topics.Changelog.Name: p.cut.changelog[task], p.o.Topics.Traits.Name: p.cut.traits[task],
		} {
			all = append(all, Range{topic, task, log.From, log.To, log.To})
		}
	}
	slices.SortFunc(all, func(a, b Range) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.From, b.From))
	})
	return all
}

// sorted returns a pass's differences by trait.
func (p *pass) sorted() []Difference {
	slices.SortStableFunc(p.differences, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.Offset, b.Offset))
	})
	return p.differences
}

// doubtful returns how many traits differ.
func (p *pass) doubtful() int64 {
	ids := map[string]bool{}
	for _, d := range p.differences {
		ids[d.id] = true
	}
	return int64(len(ids))
}

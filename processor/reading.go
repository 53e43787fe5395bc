package processor

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
	"traitstream/trait"
)

// reading is how records are read by a set of definitions.
type reading struct {
	o        *Options
	set      *trait.Set
	matcher  *trait.Matcher
	decoders map[string]*schemas.Decoder // by source
	topic    string                      // the last one that a decoder was wanted of
	last     *schemas.Decoder            // its decoder, or nil
}

// reading returns that of a set.
func (in *intake) reading(set *trait.Set) *reading {
	if r := in.readings[set]; r != nil {
		return r
	}
	r := &reading{o: in.o, set: set, matcher: set.NewMatcher(), decoders: map[string]*schemas.Decoder{}}
	for _, s := range in.o.Config.Sources {
		r.decoders[s.Topic] = schemas.NewDecoder(s.Source, set.Filter(), in.o.Schemas)
	}
	in.readings[set] = r
	return r
}

// readBy finds out by which definitions a record is read. What a job reads again for
// definitions that are not on their way any more is read by none.
func (in *intake) readBy(a *arrival) {
	p := in.plans[a.record.Partition%in.o.Topics.Tasks]
	switch {
	case a.defines && (p == nil || p.history == nil):
		in.read = nil
	case a.defines:
		a.plan, in.read = p, p.history
	case p != nil:
		a.plan, in.read = p, p.live
	}
}

// decoder returns that of a source, of which a record is at hand.
func (r *reading) decoder(topic string, rec *kgo.Record) *schemas.Decoder {
	if r.last != nil && topic == r.topic {
		return r.last
	}
	d := r.decoders[topic]
	if d == nil {
		d = schemas.NewDecoder(formerSource(topic, rec), r.set.Filter(), r.o.Schemas)
		r.decoders[topic] = d
	}
	r.topic, r.last = topic, d
	return d
}

func (r *reading) reset() {
	for _, d := range r.decoders {
		d.Reset()
	}
	r.matcher.Reset()
}

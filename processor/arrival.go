package processor

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// arrival is a record with what is known of where it was first read.
type arrival struct {
	record    *kgo.Record
	place     trait.Place // Index is set for each element
	forwarded bool
	command   bool   // in the inbox
	foreign   string // why it is no record of ours, in the inbox
	refused   int    // bytes of its dead letters
	again
	plan *plan // of the task, where it is not what the process has begun with
}

// arrive finds out where a record was first read. The only error is a record
// in the inbox that a newer release wrote.
func (in *intake) arrive(r *kgo.Record) (a arrival, err error) {
	err = in.meet(r, &a)
	return a, err
}

// meet is arrive in place: an arrival is large.
func (in *intake) meet(r *kgo.Record, a *arrival) error {
	a.record, a.forwarded, a.command, a.foreign, a.refused = r, false, false, "", 0
	a.again, a.plan, in.read = in.replaying.again(), nil, in.base
	if len(in.plans) > 0 {
		in.readBy(a)
	}
	p := &a.place
	p.Topic, p.Partition, p.Offset, p.Index, p.Timestamp = r.Topic, r.Partition, r.Offset, -1, timestamp(r)
	if r.Topic != in.o.Topics.Inbox.Name {
		return nil
	}
	headers := fleet.HeadersOf(r)
	place, err := schemas.ParseInboxHeaders(headers)
	switch {
	case isNewer(err):
		if err = in.commanded(a, headers); err != nil {
			return fmt.Errorf("reading %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	case err != nil:
		a.foreign = err.Error()
	default:
		a.place, a.forwarded = place, true
		if job, quiet := schemas.ParseReplayHeaders(headers); job != "" {
			a.again = again{replayed: true, quiet: quiet, share: in.replays.counts(shareKey{job, r.Partition})}
			if a.defines = schemas.IsDefinitionsJob(job); a.defines {
				in.readBy(a)
			}
		}
	}
	return nil
}

// isNewer tells whether an error is that of a kind of record that is no impression.
func isNewer(err error) bool {
	var newer *schemas.KindError
	return errors.As(err, &newer)
}

// at returns the place of an element of the record.
func (a *arrival) at(e *impression.Element) trait.Place {
	place := a.place
	if e.Several {
		place.Index = int32(e.Index)
	}
	return place
}

// formerSource is how a source is read that has left the configuration since a
// record of it was forwarded: by its shape.
func formerSource(topic string, r *kgo.Record) impression.Source {
	src := impression.Source{Topic: topic, Format: impression.Auto, Identity: impression.User}
	if _, _, ok := avro.Split(r.Value, header(r, avro.HeaderValueSchema)); ok {
		src.Format = impression.Avro
	}
	return src
}

// schemaHeader returns the header that tells a value's schema, where the decoder
// has a use for it.
func schemaHeader(d *schemas.Decoder, r *kgo.Record) []byte {
	if !d.WantsHeader() {
		return nil
	}
	return header(r, avro.HeaderValueSchema)
}

// header returns the last header of a name, nil if there is none.
func header(r *kgo.Record, name string) []byte {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value
		}
	}
	return nil
}

// timestamp returns that of a record in ms, or -1.
func timestamp(r *kgo.Record) int64 {
	return r.Timestamp.UnixMilli()
}

// sourceOf returns the configuration of a source topic.
func sourceOf(c *config.Config, topic string) (config.Source, bool) {
	for _, s := range c.Sources {
		if s.Topic == topic {
			return s, true
		}
	}
	return config.Source{}, false
}

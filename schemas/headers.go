package schemas

import (
	"strconv"

	"traitstream/trait"
)

// Headers of the traits topic, on every record; Reason on removals alone.
const (
	HeaderChangeID = "traitstream.change_id" // 32 hex digits
	HeaderApp      = "traitstream.app"
	HeaderReason   = "traitstream.reason" // forgotten, expired, definition_removed or not_served
)

// HeaderReplay marks a change that a replay job has sent again: the job.
const HeaderReplay = headerJob

// Headers of dead letters, beside those that the source record had.
const (
	HeaderErrorTopic     = "__traitstream.errors.topic"
	HeaderErrorPartition = "__traitstream.errors.partition"
	HeaderErrorOffset    = "__traitstream.errors.offset"
	HeaderErrorIndex     = "__traitstream.errors.index"
	HeaderErrorTimestamp = "__traitstream.errors.timestamp" // of the source record, ms since 1970
	HeaderErrorFile      = "__traitstream.errors.file"
	HeaderErrorLine      = "__traitstream.errors.line"
	HeaderErrorStage     = "__traitstream.errors.stage"
	HeaderErrorReason    = "__traitstream.errors.reason"
	HeaderErrorMessage   = "__traitstream.errors.message"
	HeaderErrorTruncated = "__traitstream.errors.truncated" // "true" where key or value was cut
)

// HeaderReplayed marks a record that was put back into its source: the topic,
// partition and offset of its dead letter, as topic/partition/offset.
const HeaderReplayed = "traitstream.replayed"

// Header is a header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

func text(key, value string) Header { return Header{Key: key, Value: []byte(value)} }

func integer(key string, value int64) Header {
	return Header{Key: key, Value: strconv.AppendInt(nil, value, 10)}
}

// ChangeHeaders returns the headers of a change, or of the removal that e is.
func ChangeHeaders(app string, e *trait.Emission, id [16]byte) []Header {
	_, r := AppendChange(nil, trait.Key{}, e, id)
	return r.AppendHeaders(nil, []byte(app))
}

// AppendHeaders appends the headers of a record, which point into it.
func (r *ChangeRecord) AppendHeaders(dst []Header, app []byte) []Header {
	dst = append(dst, Header{Key: HeaderChangeID, Value: r.ID}, Header{Key: HeaderApp, Value: app})
	if r.Value == nil {
		dst = append(dst, Header{Key: HeaderReason, Value: r.Reason})
	}
	return dst
}

// DeadLetter tells why something was refused, and where it stood.
type DeadLetter struct {
	// Place is that of the source record. Left out of the headers are partition
	// and offset where Offset is negative (a file's element never was in Kafka),
	// the index and the timestamp where they are negative.
	Place trait.Place
	File  string // of import; empty: none
	Line  int    // in File, from 1
	// Stage is decode, admit, emit, ingest or deliver; Reason a fixed word;
	// Message is for people.
	Stage, Reason, Message string
	Truncated              bool // key or value was cut
}

// Headers returns the headers that a dead letter has beside those of its source
// record, all as text.
func (d *DeadLetter) Headers() []Header {
	p := &d.Place
	headers := []Header{text(HeaderErrorTopic, p.Topic)}
	if p.Offset >= 0 {
		headers = append(headers,
			integer(HeaderErrorPartition, int64(p.Partition)), integer(HeaderErrorOffset, p.Offset))
	}
	if p.Index >= 0 {
		headers = append(headers, integer(HeaderErrorIndex, int64(p.Index)))
	}
	if p.Timestamp >= 0 {
		headers = append(headers, integer(HeaderErrorTimestamp, p.Timestamp))
	}
	if d.File != "" {
		headers = append(headers, text(HeaderErrorFile, d.File), integer(HeaderErrorLine, int64(d.Line)))
	}
	headers = append(headers,
		text(HeaderErrorStage, d.Stage), text(HeaderErrorReason, d.Reason), text(HeaderErrorMessage, d.Message))
	if d.Truncated {
		headers = append(headers, text(HeaderErrorTruncated, "true"))
	}
	return headers
}

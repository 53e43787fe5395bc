package schemas

import (
	"errors"
	"fmt"
	"strconv"

	"traitstream/trait"
)

// Headers of the inbox: the kind of each record, and of a forwarded impression
// the place where it was first read.
const (
	headerKind      = "traitstream.kind"
	headerTopic     = "traitstream.source.topic"
	headerPartition = "traitstream.source.partition"
	headerOffset    = "traitstream.source.offset"
	headerIndex     = "traitstream.source.index"     // left out where the record held one element
	headerTimestamp = "traitstream.source.timestamp" // ms since 1970, left out where there was none
	headerJob       = "traitstream.replay"           // the job that has read it again; left out of what is live
	headerQuiet     = "traitstream.replay.quiet"     // "true" where the job sends nothing
)

const kindImpression = "impression"

// InboxHeaders returns the headers of a forwarded impression that was first
// read at p.
func InboxHeaders(p trait.Place) []Header {
	headers := []Header{
		text(headerKind, kindImpression),
		text(headerTopic, p.Topic),
		integer(headerPartition, int64(p.Partition)),
		integer(headerOffset, p.Offset),
	}
	if p.Index >= 0 {
		headers = append(headers, integer(headerIndex, int64(p.Index)))
	}
	if p.Timestamp >= 0 {
		headers = append(headers, integer(headerTimestamp, p.Timestamp))
	}
	return headers
}

// ReplayHeaders returns the headers that an impression has behind those of
// InboxHeaders where a job has read it again.
func ReplayHeaders(job string, quiet bool) []Header {
	headers := []Header{text(headerJob, job)}
	if quiet {
		headers = append(headers, text(headerQuiet, "true"))
	}
	return headers
}

// ParseReplayHeaders returns the job that has read a forwarded impression again,
// empty where it was read for the first time, and whether that is to send nothing.
func ParseReplayHeaders(headers []Header) (job string, quiet bool) {
	for _, h := range lastInboxHeaders(headers) {
		switch h.Key {
		case headerJob:
			job = string(h.Value)
		case headerQuiet:
			quiet = string(h.Value) == "true"
		}
	}
	return job, quiet
}

// IsInboxHeader tells whether a header is one that InboxHeaders or ReplayHeaders
// adds.
func IsInboxHeader(name string) bool {
	switch name {
	case headerKind, headerTopic, headerPartition, headerOffset, headerIndex, headerTimestamp, headerJob, headerQuiet:
		return true
	}
	return false
}

// KindError says that an inbox record is of a kind that this release does not
// know.
type KindError struct{ Kind string }

func (e *KindError) Error() string {
	return fmt.Sprintf("an inbox record is of kind %q, which a newer release of traitstream wrote: "+
		"run that release or a later one", e.Kind)
}

// ParseInboxHeaders returns the place where a forwarded impression was first
// read. Headers of other names are ignored, and so are the source record's own,
// of whatever name, before those of InboxHeaders. A record of a kind that this
// release does not know is a *KindError; other errors mean that something else
// has written to the inbox.
func ParseInboxHeaders(headers []Header) (trait.Place, error) {
	var kind string
	headers = lastInboxHeaders(headers)
	var partition, index int64 = -1, -1
	p := trait.Place{Offset: -1, Timestamp: -1}
	for _, h := range headers {
		value := string(h.Value)
		var err error
		switch h.Key {
		case headerKind:
			kind = value
		case headerTopic:
			p.Topic = value
		case headerPartition:
			partition, err = natural(value, 32)
		case headerOffset:
			p.Offset, err = natural(value, 64)
		case headerIndex:
			index, err = natural(value, 32)
		case headerTimestamp:
			p.Timestamp, err = natural(value, 64)
		}
		if err != nil {
			return trait.Place{}, fmt.Errorf("reading inbox header %s: %w", h.Key, err)
		}
	}
	p.Partition, p.Index = int32(partition), int32(index)
	switch {
	case kind == "":
		return trait.Place{}, errors.New("an inbox record has no header " + headerKind + ": was it written by something else?")
	case kind != kindImpression:
		return trait.Place{}, &KindError{Kind: kind}
	case p.Topic == "" || p.Partition < 0 || p.Offset < 0:
		return trait.Place{}, errors.New("an inbox record lacks its source's topic, partition or offset")
	}
	return p, nil
}

// lastInboxHeaders returns the headers from the last kind on, which is the first
// that InboxHeaders writes.
func lastInboxHeaders(headers []Header) []Header {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == headerKind {
			return headers[i:]
		}
	}
	return nil
}

// natural reads a decimal integer of at most that many bits, not negative.
func natural(text string, bits int) (int64, error) {
	n, err := strconv.ParseUint(text, 10, bits-1)
	return int64(n), err
}

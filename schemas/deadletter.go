package schemas

import (
	"slices"
	"strings"

	"traitstream/trait"
)

// errorPrefix begins the name of each header that DeadLetter.Headers writes.
const errorPrefix = "__traitstream.errors."

// ParseDeadLetter takes the headers of a dead letter apart: what it says of
// itself, and the source record's own. False means that it says nothing, so
// something else has written it; own are then all headers. A number that can't
// be read counts as left out.
//
// The source record may have had such headers itself, as when it comes from
// another app's dead letters; ours are those from the last topic on.
func ParseDeadLetter(headers []Header) (d DeadLetter, own []Header, ok bool) {
	d.Place = trait.Place{Offset: -1, Index: -1, Timestamp: -1}
	first := len(headers) - 1
	for first >= 0 && headers[first].Key != HeaderErrorTopic {
		first--
	}
	if first < 0 {
		return d, headers, false
	}
	own = slices.Clone(headers[:first])
	partition := int64(-1)
	for _, h := range headers[first:] {
		if !strings.HasPrefix(h.Key, errorPrefix) {
			own = append(own, h) // what a mirror has added, for one
			continue
		}
		d.set(h, &partition)
	}
	if d.Place.Partition = int32(partition); partition < 0 || d.Place.Offset < 0 {
		d.Place.Partition, d.Place.Offset = 0, -1
	}
	return d, own, true
}

// set takes what one header says.
func (d *DeadLetter) set(h Header, partition *int64) {
	value, p := string(h.Value), &d.Place
	number := func(bits int) int64 {
		n, err := natural(value, bits)
		if err != nil {
			return -1
		}
		return n
	}
	switch h.Key {
	case HeaderErrorTopic:
		p.Topic = value
	case HeaderErrorPartition:
		*partition = number(32)
	case HeaderErrorOffset:
		p.Offset = number(64)
	case HeaderErrorIndex:
		p.Index = int32(number(32))
	case HeaderErrorTimestamp:
		p.Timestamp = number(64)
	case HeaderErrorFile:
		d.File = value
	case HeaderErrorLine:
		d.Line = max(0, int(number(64)))
	case HeaderErrorStage:
		d.Stage = value
	case HeaderErrorReason:
		d.Reason = value
	case HeaderErrorMessage:
		d.Message = value
	case HeaderErrorTruncated:
		d.Truncated = value == "true"
	}
}

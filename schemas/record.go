package schemas

import (
	"bytes"
	"encoding/binary"

	"traitstream/trait"
)

// recordVersion is the first byte of a record.
const recordVersion = 1

// Flags of a record: what is told by another field and so left out.
const (
	treatmentInSeen = 1 << iota // the value seen is the treatment in quotes, nothing else
	sent                        // there is an emission
	seenIsEmitted               // the value emitted is the value seen
	removal                     // the emission has a reason and removes a change
	knownFlags      = 1<<iota - 1
)

// AppendRecord appends a record: version, flags, what was seen, and what was
// last emitted unless nothing ever was. Numbers are varints, times and versions
// of the emission relative to those seen. Bytes have their length before them,
// plus one, so that 0 is nil.
func AppendRecord(dst []byte, r *trait.Record) []byte {
	seen, e := &r.Seen, &r.Emitted
	flags := recordFlags(r)
	dst = append(dst, recordVersion, flags)
	dst = binary.AppendVarint(dst, seen.SeenAt)
	dst = binary.AppendVarint(dst, seen.Version)
	dst = appendBytes(dst, seen.Value)
	if flags&treatmentInSeen == 0 {
		dst = appendBytes(dst, seen.Treatment)
	}
	if flags&sent == 0 {
		return dst
	}
	if flags&seenIsEmitted == 0 {
		dst = appendBytes(dst, e.Value)
	}
	dst = appendBytes(dst, e.Previous)
	dst = binary.AppendVarint(dst, seen.SeenAt-e.SeenAt)
	dst = binary.AppendVarint(dst, seen.Version-e.Version)
	dst = appendFacts(dst, &e.Facts, e.SeenAt)
	dst = binary.AppendUvarint(dst, uint64(e.Generation))
	if flags&removal != 0 {
		dst = appendString(dst, e.Reason)
		dst = append(dst, e.Removes[:]...)
	}
	return dst
}

func recordFlags(r *trait.Record) (flags byte) {
	if v := r.Seen.Value; isQuoted(v) && r.Seen.Treatment != nil && bytes.Equal(unquoted(v), r.Seen.Treatment) {
		flags |= treatmentInSeen
	}
	if !r.Emitted.Sent {
		return flags
	}
	flags |= sent
	if (r.Emitted.Value == nil) == (r.Seen.Value == nil) && bytes.Equal(r.Emitted.Value, r.Seen.Value) {
		flags |= seenIsEmitted
	}
	if r.Emitted.Reason != "" || r.Emitted.Removes != [16]byte{} {
		flags |= removal
	}
	return flags
}

func isQuoted(b []byte) bool { return len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' }

func unquoted(b []byte) []byte { return b[1 : len(b)-1 : len(b)-1] }

func appendFacts(dst []byte, f *trait.Facts, seenAt int64) []byte {
	dst = appendBytes(dst, f.Flag)
	dst = appendBytes(dst, f.Environment)
	dst = appendBytes(dst, f.Label)
	dst = appendString(dst, f.Definition)
	dst = appendString(dst, f.Place.Topic)
	dst = binary.AppendVarint(dst, int64(f.Place.Partition))
	dst = binary.AppendVarint(dst, f.Place.Offset)
	dst = binary.AppendVarint(dst, int64(f.Place.Index))
	return binary.AppendVarint(dst, f.Place.Timestamp-seenAt)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b))+1)
	return append(dst, b...)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// DecodeRecord reads a record into r, whatever was there. The slices of r point
// into b; strings that r had before are kept where they are the same, so that
// reading many records into one does not allocate. Data of a newer release is a
// [*VersionError].
func DecodeRecord(b []byte, r *trait.Record) error {
	old := r.Emitted
	*r = trait.Record{}
	if len(b) < 2 {
		return errRecord
	}
	if b[0] > recordVersion {
		return &VersionError{What: "a record of state", Version: int(b[0])}
	}
	flags := b[1]
	if b[0] == 0 || flags&^knownFlags != 0 {
		return errRecord
	}
	in := reader{rest: b[2:]}
	seen, e := &r.Seen, &r.Emitted
	seen.SeenAt = in.varint()
	seen.Version = in.varint()
	seen.Value = in.bytes()
	switch {
	case flags&treatmentInSeen == 0:
		seen.Treatment = in.bytes()
	case isQuoted(seen.Value):
		seen.Treatment = unquoted(seen.Value)
	default:
		in.failed = true
	}
	if flags&sent != 0 {
		in.emission(e, seen, &old, flags)
	}
	if in.failed || len(in.rest) > 0 {
		*r = trait.Record{}
		return errRecord
	}
	return nil
}

func (in *reader) emission(e *trait.Emission, seen *trait.Register, old *trait.Emission, flags byte) {
	e.Sent = true
	e.Value = seen.Value
	if flags&seenIsEmitted == 0 {
		e.Value = in.bytes()
	}
	e.Previous = in.bytes()
	e.SeenAt = seen.SeenAt - in.varint()
	e.Version = seen.Version - in.varint()
	in.facts(&e.Facts, &old.Facts, e.SeenAt)
	e.Generation = in.uint32()
	if flags&removal != 0 {
		e.Reason = in.string(old.Reason)
		copy(e.Removes[:], in.take(uint64(len(e.Removes))))
	}
}

func (in *reader) facts(f, old *trait.Facts, seenAt int64) {
	f.Flag = in.bytes()
	f.Environment = in.bytes()
	f.Label = in.bytes()
	f.Definition = in.string(old.Definition)
	f.Place.Topic = in.string(old.Place.Topic)
	f.Place.Partition = in.int32()
	f.Place.Offset = in.varint()
	f.Place.Index = in.int32()
	f.Place.Timestamp = in.varint() + seenAt
}

// LastSeen returns what a record has last seen, but for its time and version,
// which come before it in the record. It is false where something else was sent
// last, or nothing, or the record is of another release.
func LastSeen(b []byte) (trait.Register, bool) {
	if len(b) < 2 || b[0] != recordVersion || b[1]&(sent|seenIsEmitted) != sent|seenIsEmitted {
		return trait.Register{}, false
	}
	flags := b[1]
	in := reader{rest: b[2:]}
	r := trait.Register{SeenAt: in.varint(), Version: in.varint(), Value: in.bytes()}
	switch {
	case flags&treatmentInSeen == 0:
		r.Treatment = in.bytes()
	case isQuoted(r.Value):
		r.Treatment = unquoted(r.Value)
	default:
		in.failed = true
	}
	return r, !in.failed
}

// AppendMoved appends a record of which nothing but the time and the version that
// were seen last have changed. It is for records of which LastSeen tells, and
// returns false for others.
func AppendMoved(dst, b []byte, seenAt, version int64) ([]byte, bool) {
	last, ok := LastSeen(b)
	if !ok {
		return dst, false
	}
	in := reader{rest: b[2:]}
	in.varint()
	in.varint()
	texts := in.rest
	in.bytes()
	if b[1]&treatmentInSeen == 0 {
		in.bytes()
	}
	in.bytes() // the value before
	texts = texts[:len(texts)-len(in.rest)]
	emittedAt, emittedVersion := last.SeenAt-in.varint(), last.Version-in.varint()
	if in.failed {
		return dst, false
	}
	dst = append(dst, b[:2]...)
	dst = binary.AppendVarint(dst, seenAt)
	dst = binary.AppendVarint(dst, version)
	dst = append(dst, texts...)
	dst = binary.AppendVarint(dst, seenAt-emittedAt)
	dst = binary.AppendVarint(dst, version-emittedVersion)
	return append(dst, in.rest...), true
}

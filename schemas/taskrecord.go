package schemas

import (
	"encoding/binary"
	"errors"

	"traitstream/impression"
	"traitstream/trait"
)

// What a task remembers beside its traits lies among their state, in changelog
// and store, under keys that begin with a byte that no identity has and so come
// after all of them.
const (
	// FirstTaskKey is where these keys begin.
	FirstTaskKey = 0xf0

	forgottenUser  = FirstTaskKey     // then a marker's id
	forgottenTrait = FirstTaskKey + 1 // then a marker's id
	clockKey       = FirstTaskKey + 2 // alone
	jobKey         = FirstTaskKey + 3 // then a replay job's id
	definitionsKey = FirstTaskKey + 4 // alone
)

const taskRecordVersion = 1

var errTaskRecord = errors.New("malformed record of a task: was it written by something else, or damaged?")

// IsTaskKey tells whether a key of changelog or store is of what a task remembers
// beside its traits.
func IsTaskKey(key []byte) bool { return len(key) > 0 && key[0] >= FirstTaskKey }

// Marker says that a user, or one trait of a user, was forgotten.
type Marker struct {
	// Until is the time, in ms since 1970, up to which impressions are refused.
	Until int64
	// At is when it was made, in ms since 1970.
	At int64
}

// MarkerKey names a marker: by trait.MarkerID, and by whether it is of one trait
// alone.
type MarkerKey struct {
	ID    [16]byte
	Trait bool
}

// MarkerKeyOf returns the key of the marker of a user, or of a trait unless that is
// nil.
func MarkerKeyOf(app string, k trait.Key) MarkerKey {
	return MarkerKey{ID: trait.MarkerID(app, k), Trait: k.Trait != nil}
}

// AppendMarkerKey appends the key of a marker in changelog and store.
func AppendMarkerKey(dst []byte, k MarkerKey) []byte {
	kind := byte(forgottenUser)
	if k.Trait {
		kind = forgottenTrait
	}
	return append(append(dst, kind), k.ID[:]...)
}

// ParseMarkerKey reads a marker's key. It is false for any other key.
func ParseMarkerKey(key []byte) (k MarkerKey, ok bool) {
	if len(key) != 1+len(k.ID) || key[0] != forgottenUser && key[0] != forgottenTrait {
		return k, false
	}
	return MarkerKey{ID: [16]byte(key[1:]), Trait: key[0] == forgottenTrait}, true
}

// AppendMarker appends a marker: version, until, and how long before that it was
// made, as varints.
func AppendMarker(dst []byte, m Marker) []byte {
	dst = binary.AppendVarint(append(dst, taskRecordVersion), m.Until)
	return binary.AppendVarint(dst, m.Until-m.At)
}

// ClockKey returns the key of a task's clock.
func ClockKey() []byte { return []byte{clockKey} }

// IsClockKey tells whether a key is that of a task's clock.
func IsClockKey(key []byte) bool { return len(key) == 1 && key[0] == clockKey }

// AppendClock appends a task's clock, in ms since 1970: version and varint.
func AppendClock(dst []byte, ms int64) []byte {
	return binary.AppendVarint(append(dst, taskRecordVersion), ms)
}

// DecodeMarker reads a marker. One of a newer release is a [*VersionError].
func DecodeMarker(b []byte) (Marker, error) {
	in, err := taskRecord(b)
	m := Marker{Until: in.varint()}
	m.At = m.Until - in.varint()
	return m, in.done(err)
}

// DecodeClock reads a task's clock. One of a newer release is a [*VersionError].
func DecodeClock(b []byte) (ms int64, err error) {
	in, err := taskRecord(b)
	ms = in.varint()
	return ms, in.done(err)
}

func taskRecord(b []byte) (reader, error) {
	switch {
	case len(b) == 0 || b[0] == 0:
		return reader{failed: true}, errTaskRecord
	case b[0] > taskRecordVersion:
		return reader{failed: true}, &VersionError{What: "a record of a task", Version: int(b[0])}
	}
	return reader{rest: b[1:]}, nil
}

func (in *reader) done(err error) error {
	if err == nil && (in.failed || len(in.rest) > 0) {
		return errTaskRecord
	}
	return err
}

// CheckTaskRecord tells why what is under a task's key can't be read, if so.
func CheckTaskRecord(key, value []byte) (err error) {
	if _, ok := ParseMarkerKey(key); ok {
		_, err = DecodeMarker(value)
		return err
	}
	if IsClockKey(key) {
		_, err = DecodeClock(value)
		return err
	}
	if _, ok := ParseJobKey(key); ok {
		_, err = DecodeJobProgress(value)
		return err
	}
	if IsDefinitionsKey(key) {
		_, err = DecodeTaskDefinitions(value)
		return err
	}
	return errStateKey
}

// UserPrefix returns what the state keys of a user begin with.
func UserPrefix(dst []byte, identity impression.Identity, user []byte) []byte {
	return AppendStateKey(dst, trait.Key{Identity: identity, User: user})
}

// UserPart returns the part of a state key that is the same for all traits of its
// user, nil where it is not one.
func UserPart(key []byte) []byte {
	if IsTaskKey(key) {
		return nil
	}
	for i := 1; i+1 < len(key); i++ {
		if key[i] != 0 {
			continue
		}
		if key[i+1] == endOfUser {
			return key[: i+2 : i+2]
		}
		i++ // what follows is escaped
	}
	return nil
}

// SeenAt returns when a record was last seen, in ms since 1970, which comes first
// in it. It is false for one of another release.
func SeenAt(record []byte) (int64, bool) {
	if len(record) < 3 || record[0] != recordVersion {
		return 0, false
	}
	ms, n := binary.Varint(record[2:])
	return ms, n > 0
}

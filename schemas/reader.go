package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errRecord = errors.New("malformed record of state: was it written by something else, or damaged?")

// VersionError tells that data was written by a newer release than this one.
type VersionError struct {
	What    string // such as "a record of state"
	Version int    // the one that was found
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d: a newer release of traitstream wrote it (run that one or a later one), or something else wrote it",
		e.What, e.Version)
}

// reader takes a record apart from its start. After the first failure it yields
// zero values.
type reader struct {
	rest   []byte
	failed bool
}

func (in *reader) fail() {
	in.failed = true
	in.rest = nil
}

func (in *reader) uvarint() uint64 {
	v, n := binary.Uvarint(in.rest)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.rest = in.rest[n:]
	return v
}

func (in *reader) varint() int64 {
	v, n := binary.Varint(in.rest)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.rest = in.rest[n:]
	return v
}

func (in *reader) int32() int32 {
	v := in.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		in.fail()
		return 0
	}
	return int32(v)
}

func (in *reader) uint32() uint32 {
	v := in.uvarint()
	if v > math.MaxUint32 {
		in.fail()
		return 0
	}
	return uint32(v)
}

// take returns the next n bytes.
func (in *reader) take(n uint64) []byte {
	if n > uint64(len(in.rest)) {
		in.fail()
		return nil
	}
	b := in.rest[:n:n]
	in.rest = in.rest[n:]
	return b
}

// bytes reads what appendBytes wrote.
func (in *reader) bytes() []byte {
	n := in.uvarint()
	if n == 0 {
		return nil
	}
	return in.take(n - 1)
}

// string reads what appendString wrote, and returns old if it is the same.
func (in *reader) string(old string) string {
	b := in.take(in.uvarint())
	if string(b) == old {
		return old
	}
	return string(b)
}

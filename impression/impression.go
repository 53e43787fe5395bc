// Package impression reads what came in: it turns the bytes of a Kafka record,
// in any of the shapes that Split's exports, SDKs and Segment write, into
// impressions.
//
// A record holds one object or an array of objects, and some shapes group
// several impressions in one object. Each of them becomes an [Element], which
// was either accepted, skipped (it is no impression, such as another Segment
// call) or refused with a [Reason]. One bad element leaves its neighbours
// alone; only a record that is not valid JSON is refused as a whole.
//
// The package is pure: it knows no Kafka, disk or clock.
package impression

import "fmt"

// Identity is the kind of key that a user is known by.
type Identity uint8

// The identities, in the order in which state and changelog keep them. Their
// numbers are written to disk and never change.
const (
	User      Identity = 1 // a user id, Segment's userId
	Anonymous Identity = 2 // a device or browser, Segment's anonymousId
)

// String returns the identity as it is written in topics and configuration.
func (i Identity) String() string {
	switch i {
	case User:
		return "user"
	case Anonymous:
		return "anonymous"
	}
	return fmt.Sprintf("identity(%d)", uint8(i))
}

// Impression is one evaluation of a feature flag: who saw which treatment, and
// when. Its byte slices point into the record or into the decoder's arena.
type Impression struct {
	Identity  Identity
	User      []byte // the matching key, 1 to 1024 bytes of UTF-8
	Flag      []byte // not empty
	Treatment []byte // not empty
	SeenAt    int64  // when the SDK evaluated, ms since 1970, not before 2010
	Version   int64  // of the flag's definition; 0 when missing

	// Facts that may be absent; nil is absent, none is empty.
	Label           []byte
	EnvironmentName []byte
	EnvironmentID   []byte

	// What only conditions look at; nil is absent.
	BucketingKey  []byte
	TrafficTypeID []byte
	SDK           []byte
	SDKVersion    []byte
	MachineName   []byte
	MachineIP     []byte

	Topic string // the source that it came from
	Event []byte // Segment's event name; nil in Split's own shapes

	// Properties holds a value for each name of Filter.Properties, in that
	// order, and is nil where that list is empty or the flag is not wanted.
	Properties []Value
}

// Kind is the JSON type of a Value.
type Kind uint8

// The kinds of a property. JSON's null counts as Absent.
const (
	Absent Kind = iota
	String
	Number
	Bool
	Composite // an object or an array
)

// Value is a custom property of an impression.
type Value struct {
	Kind Kind
	// Text is a string without quotes and escapes, else the value's JSON.
	Text []byte
	// JSON is the value as it stood in the record.
	JSON []byte
}

// Outcome tells what the decoder made of an element.
type Outcome uint8

// The outcomes of decoding.
const (
	Accepted Outcome = iota
	Skipped          // not an impression, or of an identity that the source skips
	Refused          // for the dead letters, with a Reason
)

// Reason is the fixed word by which a dead letter tells why it is one.
type Reason string

// The reasons that decoding gives.
const (
	Malformed        Reason = "malformed"
	MissingUser      Reason = "missing_user"
	MissingFlag      Reason = "missing_flag"
	MissingTreatment Reason = "missing_treatment"
	MissingTime      Reason = "missing_time"
	BadTime          Reason = "bad_time"
	BadUser          Reason = "bad_user"
	UnknownShape     Reason = "unknown_shape"
)

// Element is one place of a record: an impression, or what was there instead.
type Element struct {
	// Impression holds the topic alone where it was not accepted.
	Impression Impression
	Outcome    Outcome
	Reason     Reason // of a refused element
	Message    string // what is wrong, for people; of a refused element
	// Index is the element's place among those of its record in document order,
	// from 0, through groups, bad ones counted.
	Index int
	// Several tells that the record holds more than one element.
	Several bool

	raw raw
}

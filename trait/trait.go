// Package trait computes: it holds the definitions of traits, tells which of
// them want an impression and under which name and value, and merges what was
// seen into the last-seen register of a user's trait.
//
// The register is a last-writer-wins register over (seen-at, flag version,
// treatment, value). Its merge is commutative, associative and idempotent, so
// any order, any repetition and any replay of the same impressions end in the
// same value.
//
// The package is pure: it knows no Kafka, disk or clock.
package trait

import "traitstream/impression"

// Register is what was last seen of a trait. The greatest register in the order
// of Compare wins.
type Register struct {
	SeenAt    int64  // ms since 1970
	Version   int64  // of the flag's definition
	Treatment []byte // as the impression had it
	Value     []byte // compact JSON; nil is none: an impression that was not served under Clear
}

// Place is where an impression was first read.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
	// Index is the element's place in a record that held several, else -1.
	Index int32
	// Timestamp is that of the Kafka record, ms since 1970, or -1 for none.
	Timestamp int64
}

// Facts are what a change tells of the impression that caused it.
type Facts struct {
	Flag        []byte
	Environment []byte // name; nil is absent
	Label       []byte // nil is absent
	Definition  string // text of the definition's name
	Place       Place
}

// Emission is the last change that was sent for a trait, whole enough to be
// sent again. The zero Emission stands for none.
type Emission struct {
	Sent     bool   // whether there ever was one
	Value    []byte // compact JSON; nil after a removal
	Previous []byte // the value before; nil for none
	SeenAt   int64  // ms since 1970
	Version  int64
	Facts    Facts
	// Generation is that of the definitions under which it was computed.
	Generation uint32
	// Reason and Removes are, of a removal, its reason (such as "not_served")
	// and the id of the change that it removed.
	Reason  string
	Removes [16]byte
}

// Record is the state of one trait of one user.
type Record struct {
	Seen    Register
	Emitted Emission
}

// Key names a trait of a user.
type Key struct {
	Identity impression.Identity
	User     []byte
	Trait    []byte
}

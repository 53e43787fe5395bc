package verify

import (
	"fmt"
	"time"
)

// Kind tells what differs.
type Kind string

// The kinds of differences.
const (
	// WrongTrait: traits topic and changelog agree, and the sources say otherwise.
	WrongTrait Kind = "trait"
	// WrongTopic: the traits topic alone says otherwise.
	WrongTopic Kind = "traits_topic"
	// WrongChangelog: the changelog alone says otherwise.
	WrongChangelog Kind = "changelog"
	// WrongState: the local state is not what the changelog said at its checkpoint.
	WrongState Kind = "state"
	// WrongChange: a change tells of something that the sources do not hold so.
	WrongChange Kind = "change"
	// WrongChain: a change does not go on from the one before, or says it again.
	WrongChain Kind = "chain"
	// WrongReplay: a change that a replay has sent again is not the one before it.
	WrongReplay Kind = "replay"
	// WrongID: a change's id is not the one that it must have.
	WrongID Kind = "change_id"
	// WrongPartition: a record is not in its user's partition.
	WrongPartition Kind = "partition"
	// WrongRecord: a record's bytes are not those that the contract asks for.
	WrongRecord Kind = "record"
)

// Difference is something that is not as it must be.
type Difference struct {
	Kind Kind
	// Whose trait it is; all empty where a record's key can't be read.
	Identity, User, Trait string
	// Where the record concerned stands; Topic is empty where there is none.
	Topic     string
	Partition int32
	Offset    int64
	// What was found and what was recomputed, as compact JSON; empty for none.
	// Both are empty where it is not the value that differs.
	Found, Recomputed string
	Message           string // all of it, for people

	id string // of the trait, or else of the record
}

// said writes down a value and where it comes from.
func said(value string, seenAt int64, from place) string {
	if value == "" {
		value = "nothing"
	}
	if seenAt == 0 {
		return value
	}
	seen := time.UnixMilli(seenAt).UTC().Format(timeLayout)
	if from.topic == "" {
		return fmt.Sprintf("%s (seen %s)", value, seen)
	}
	return fmt.Sprintf("%s (seen %s, %s)", value, seen, from)
}

// timeLayout is that of the traits topic.
const timeLayout = "2006-01-02T15:04:05.000Z"

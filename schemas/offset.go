package schemas

import (
	"encoding/json"
)

// OffsetNote is what the group keeps beside each committed offset, as its
// metadata: who comes after a dead worker finds here whose transaction may be
// open, and whether the offset still means the topic that has this name now.
type OffsetNote struct {
	Owner string // the transactional id of the worker that committed
	Topic string // the topic's id, as Kafka's tools print it; empty if the broker told none
	Start int64  // the offset from which the group has read the partition; -1: not known
	Mark  Mark
}

// Mark tells what a restore has to read again: impressions that have moved
// nothing but last-seen times, which the changelog gets later. The zero Mark is
// that of a partition of which all is in the changelog.
type Mark struct {
	From  int64  // the first offset
	Rules string // the hash of the rules that they were read by; never empty but in the zero Mark
}

type offsetNote struct {
	Owner string `json:"owner"`
	Topic string `json:"topic,omitempty"`
	Start *int64 `json:"start,omitempty"`
	Mark  *int64 `json:"mark,omitempty"`
	Rules string `json:"rules,omitempty"`
}

// String returns the metadata of a commit, some 100 bytes of JSON; brokers take
// 4096 unless told otherwise (offset.metadata.max.bytes).
func (n OffsetNote) String() string {
	note := offsetNote{Owner: n.Owner, Topic: n.Topic}
	if n.Start >= 0 {
		note.Start = &n.Start
	}
	if n.Mark != (Mark{}) {
		note.Mark, note.Rules = &n.Mark.From, n.Mark.Rules
	}
	text, err := json.Marshal(note)
	if err != nil {
		return "" // strings and numbers have no way to fail
	}
	return string(text)
}

// ParseOffsetNote reads the metadata of a committed offset. It returns false
// for what another program, or a release before, has committed.
func ParseOffsetNote(metadata string) (OffsetNote, bool) {
	var note offsetNote
	if metadata == "" || json.Unmarshal([]byte(metadata), &note) != nil || note.Owner == "" {
		return OffsetNote{Start: -1}, false
	}
	n := OffsetNote{Owner: note.Owner, Topic: note.Topic, Start: -1}
	if note.Start != nil && *note.Start >= 0 {
		n.Start = *note.Start
	}
	if note.Mark != nil && *note.Mark >= 0 && note.Rules != "" {
		n.Mark = Mark{From: *note.Mark, Rules: note.Rules}
	}
	return n, true
}

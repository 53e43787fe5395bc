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
}

type offsetNote struct {
	Owner string `json:"owner"`
	Topic string `json:"topic,omitempty"`
	Start *int64 `json:"start,omitempty"`
}

// String returns the metadata of a commit, some 100 bytes of JSON; brokers take
// 4096 unless told otherwise (offset.metadata.max.bytes).
func (n OffsetNote) String() string {
	note := offsetNote{Owner: n.Owner, Topic: n.Topic}
	if n.Start >= 0 {
		note.Start = &n.Start
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
	return n, true
}

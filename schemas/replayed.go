package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// replayedKind is the kind of a ReplayMark in the control topic.
const replayedKind = "replayed"

// ReplayMark says of a partition of the dead letters which of them were put back
// into their source. It is a record of the control topic, written in the
// transaction that puts them back.
type ReplayMark struct {
	TopicID   string     `json:"topic_id"` // of the dead letters; empty if the broker told none
	Partition int32      `json:"partition"`
	Offsets   [][2]int64 `json:"offsets"` // first and last of each run, in their order; at least one
}

// Key returns the key of the mark's record: the first letter is put back once, so
// no two marks of a topic share it.
func (m *ReplayMark) Key() []byte {
	return ControlKey(replayedKind, fmt.Sprintf("%d:%d", m.Partition, m.Offsets[0][0]))
}

// Value returns the value of the mark's record.
func (m *ReplayMark) Value() []byte {
	value, err := json.Marshal(m)
	if err != nil {
		return nil // strings and numbers have no way to fail
	}
	return value
}

// ParseReplayMark reads a record of the control topic. It returns false for one
// of another kind; an error is one that this release can't read.
func ParseReplayMark(key, value []byte) (m ReplayMark, ok bool, err error) {
	k, ok := parseControlKey(key)
	if !ok || k.Kind != replayedKind {
		return m, false, nil
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return m, true, fmt.Errorf("reading which dead letters were put back: %w", err)
	}
	last := int64(-1)
	for _, run := range m.Offsets {
		if run[0] <= last || run[1] < run[0] {
			return m, true, fmt.Errorf("reading which dead letters were put back: offsets %v are in no order", run)
		}
		last = run[1]
	}
	if len(m.Offsets) == 0 || m.Partition < 0 {
		return m, true, fmt.Errorf("reading which dead letters were put back: %s names none", strconv.Quote(k.Name))
	}
	return m, true, nil
}

type controlKey struct{ Kind, Name string }

// parseControlKey reads a key of ControlKey. It returns false for any other.
func parseControlKey(key []byte) (k controlKey, ok bool) {
	ok = json.Unmarshal(key, &k) == nil
	return k, ok
}

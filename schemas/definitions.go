package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const definitionsKind = "definitions"

// DefinitionsState is how far a generation of the definitions is.
type DefinitionsState string

// The states of generations.
const (
	DefinitionsPreparing DefinitionsState = "preparing" // computed beside those in force
	DefinitionsSwitching DefinitionsState = "switching" // tasks go over to them
	DefinitionsInForce   DefinitionsState = "in_force"  // the greatest generation of these is
	DefinitionsCancelled DefinitionsState = "cancelled" // before tasks went over
)

// Definitions are a generation of the definitions, a record of the control topic.
type Definitions struct {
	Generation uint32           `json:"generation"`
	State      DefinitionsState `json:"state"`
	Base       uint32           `json:"base"` // the generation that they are a change of
	Hash       string           `json:"hash"` // of the text
	// Traits are the definitions, as the configuration has them, in JSON.
	Traits  json.RawMessage `json:"traits"`
	Reason  string          `json:"reason,omitempty"`
	By      string          `json:"by,omitempty"`
	Created int64           `json:"created"` // ms since 1970
	Changed int64           `json:"changed"` // ms since 1970
}

// Key returns the key of the record.
func (d *Definitions) Key() []byte {
	return ControlKey(definitionsKind, strconv.FormatUint(uint64(d.Generation), 10))
}

// Value returns the value of the record.
func (d *Definitions) Value() []byte { return mustJSON(d) }

// JobID names the job that computes a generation from history.
func (d *Definitions) JobID() string { return DefinitionsJob(d.Generation) }

const definitionsJob = "definitions-"

// DefinitionsJob names the job that computes a generation from history.
func DefinitionsJob(generation uint32) string {
	return definitionsJob + strconv.FormatUint(uint64(generation), 10)
}

// IsDefinitionsJob tells whether a job is one that computes definitions.
func IsDefinitionsJob(id string) bool { return strings.HasPrefix(id, definitionsJob) }

// ParseDefinitions reads a record of the control topic. It returns false for one of
// another kind; an error is one that this release can't read.
func ParseDefinitions(key, value []byte) (d Definitions, ok bool, err error) {
	k, ok := parseControlKey(key)
	if !ok || k.Kind != definitionsKind || value == nil {
		return d, false, nil
	}
	if err := json.Unmarshal(value, &d); err != nil {
		return d, true, fmt.Errorf("reading generation %s of the definitions: %w", k.Name, err)
	}
	states := []DefinitionsState{DefinitionsPreparing, DefinitionsSwitching, DefinitionsInForce, DefinitionsCancelled}
	if string(d.Key()) != string(key) || !slices.Contains(states, d.State) || len(d.Traits) == 0 {
		return d, true, fmt.Errorf("reading generation %s of the definitions: it is not of this release", k.Name)
	}
	return d, true, nil
}

// Phase is how far a task is on the way to other definitions.
type Phase string

// The phases.
const (
	Steady    Phase = ""
	Shadowing Phase = "shadowing" // what is new is computed beside what is in force
	Replacing Phase = "replacing" // what is new takes its place
	Dropping  Phase = "dropping"  // what is new is given up
)

// TaskDefinitions are the definitions of a task. They lie in changelog and store.
type TaskDefinitions struct {
	Generation uint32 `json:"generation"` // in force
	Phase      Phase  `json:"phase,omitempty"`
	Next       uint32 `json:"next,omitempty"` // those that it is on the way to
	// History are the parts of the sources that what is new is computed from: up to
	// where the task was when it began to look at both.
	History []JobRange `json:"history,omitempty"`
	// Behind is the state key up to which what is new has taken its place, or is
	// given up; nil: none.
	Behind []byte `json:"behind,omitempty"`
}

// DefinitionsKey returns the key of a task's definitions in changelog and store.
func DefinitionsKey() []byte { return []byte{definitionsKey} }

// IsDefinitionsKey tells whether a key is that of a task's definitions.
func IsDefinitionsKey(key []byte) bool { return len(key) == 1 && key[0] == definitionsKey }

// AppendTaskDefinitions appends a task's definitions: version, and JSON.
func AppendTaskDefinitions(dst []byte, d *TaskDefinitions) []byte {
	return append(append(dst, taskRecordVersion), mustJSON(d)...)
}

// DecodeTaskDefinitions reads a task's definitions. Those of a newer release are a
// [*VersionError].
func DecodeTaskDefinitions(b []byte) (d TaskDefinitions, err error) {
	in, err := taskRecord(b)
	if err != nil {
		return d, err
	}
	if json.Unmarshal(in.rest, &d) != nil || !slices.Contains([]Phase{Steady, Shadowing, Replacing, Dropping}, d.Phase) {
		return TaskDefinitions{}, errTaskRecord
	}
	return d, nil
}

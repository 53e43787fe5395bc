package avro

import (
	"errors"
	"fmt"
)

// Lookup finds the schema of an ID. An [*UnknownError] is final; any other error
// is an [ErrAway], after which it may be asked again.
type Lookup func(ID) (*Schema, error)

// ErrAway is around what a registry did not answer to, for now.
var ErrAway = errors.New("asking the schema registry")

// UnknownError tells that no schema can be had by an ID.
type UnknownError struct {
	ID  ID
	Why string
}

// Error tells the ID and what is the matter with it.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("schema %s: %s", e.ID, e.Why)
}

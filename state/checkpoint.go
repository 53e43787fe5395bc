package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint tells how far a task's records are complete.
type Checkpoint struct {
	Next      int64     // the changelog offset to read next, from 0
	Clock     int64     // the task's clock, ms since 1970; moved by ticks alone
	Committed time.Time // wall clock of the commit; kept to the ms
}

// Checkpoint returns a task's checkpoint, false if it has none.
func (s *Store) Checkpoint(task int32) (Checkpoint, bool, error) {
	v, err := s.read(appendTask(nil, kindCheckpoint, task))
	if err != nil || v == nil {
		return Checkpoint{}, false, err
	}
	cp, err := decodeCheckpoint(v)
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("reading the checkpoint of task %d: %w", task, s.explain(err))
	}
	return cp, true, nil
}

// check refuses a checkpoint before the stored one: records would be ahead of
// it, and a clock that goes back would undo what ticks have done.
func (s *Store) check(task int32, cp Checkpoint) error {
	old, ok, err := s.Checkpoint(task)
	if err != nil || !ok {
		return err
	}
	if cp.Next < old.Next {
		return fmt.Errorf("the checkpoint of task %d would go back from changelog offset %d to %d", task, old.Next, cp.Next)
	}
	if cp.Clock < old.Clock {
		return fmt.Errorf("the clock of task %d would go back from %d to %d ms", task, old.Clock, cp.Clock)
	}
	return nil
}

const (
	checkpointVersion = 1
	checkpointLen     = 1 + 3*8
)

func encodeCheckpoint(cp Checkpoint) []byte {
	b := append(make([]byte, 0, checkpointLen), checkpointVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(cp.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(cp.Clock))
	return binary.BigEndian.AppendUint64(b, uint64(cp.Committed.UnixMilli()))
}

func decodeCheckpoint(b []byte) (Checkpoint, error) {
	if len(b) == 0 {
		return Checkpoint{}, errors.New("it is empty")
	}
	if b[0] != checkpointVersion {
		return Checkpoint{}, fmt.Errorf("version %d is unknown, this release reads %d", b[0], checkpointVersion)
	}
	if len(b) != checkpointLen {
		return Checkpoint{}, fmt.Errorf("it has %d bytes instead of %d", len(b), checkpointLen)
	}
	return Checkpoint{
		Next:      int64(binary.BigEndian.Uint64(b[1:])),
		Clock:     int64(binary.BigEndian.Uint64(b[9:])),
		Committed: time.UnixMilli(int64(binary.BigEndian.Uint64(b[17:]))).UTC(),
	}, nil
}

// read returns a copy of a key's value, nil if there is none.
func (s *Store) read(key []byte) ([]byte, error) {
	if err := s.fuse.err(); err != nil {
		return nil, err
	}
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading state: %w", s.explain(err))
	}
	v = append(make([]byte, 0, len(v)), v...)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("reading state: %w", s.explain(err))
	}
	return v, nil
}

package state

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// readSorted looks up n keys that are in order, and calls found with the number
// and the value of each that is there. The value holds during the call.
func (s *Store) readSorted(n int, key func(int) []byte, found func(int, []byte) error) error {
	if err := s.fuse.err(); err != nil {
		return err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{kindRecord}, UpperBound: []byte{kindRecord + 1},
		UseL6Filters: true, // nearly all keys are there, and new users are not
	})
	if err != nil {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	err = seekEach(it, n, key, found)
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("reading state: %w", s.explain(err))
	}
	return nil
}

func seekEach(it *pebble.Iterator, n int, key func(int) []byte, found func(int, []byte) error) error {
	for i := range n {
		// The whole key is the prefix: it is there or not, and a filter mostly
		// knows. The iterator goes on from the key before.
		if !it.SeekPrefixGE(key(i)) {
			continue // not there, or an error that Close returns
		}
		value, err := it.ValueAndErr()
		if err == nil {
			err = found(i, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

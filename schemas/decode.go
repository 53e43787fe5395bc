package schemas

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"traitstream/impression"
	"traitstream/trait"
)

// Change is a record of the traits topic that was read back. Of the emission
// it lacks what only state knows: the generation, the timestamp of the source's
// record (it is -1), and all of a removal.
type Change struct {
	Key      trait.Key
	Emission trait.Emission
	ID       [16]byte
}

// The wire types have pointers where a missing member is an error.
type wireKey struct {
	Identity *string `json:"identity"`
	ID       *string `json:"id"`
	Trait    *string `json:"trait"`
}

type wireValue struct {
	wireKey
	Value       jsontext.Value `json:"value"`
	Previous    jsontext.Value `json:"previous"`
	SeenAt      *string        `json:"seen_at"`
	Split       *string        `json:"split"`
	Environment *string        `json:"environment"`
	Label       *string        `json:"label"`
	FlagVersion *int64         `json:"flag_version"`
	Definition  *string        `json:"definition"`
	ChangeID    *string        `json:"change_id"`
	Source      *wireSource    `json:"source"`
}

type wireSource struct {
	Topic     *string `json:"topic"`
	Partition *int32  `json:"partition"`
	Offset    *int64  `json:"offset"`
	Index     *int32  `json:"index"`
}

var errMissing = errors.New("a member is missing or null")

// DecodeKey reads a key of the traits topic. Members that this release does not
// know are ignored; one that is missing, null or of a wrong type is an error.
func DecodeKey(b []byte) (trait.Key, error) {
	if k, ok := plainKey(b); ok {
		return k, nil
	}
	return decodeKey(b)
}

// decodeKey reads any JSON.
func decodeKey(b []byte) (trait.Key, error) {
	var w wireKey
	if err := json.Unmarshal(b, &w); err != nil {
		return trait.Key{}, fmt.Errorf("reading the key of a change: %w", err)
	}
	k, err := w.key()
	if err != nil {
		return trait.Key{}, fmt.Errorf("reading the key of a change: %w", err)
	}
	return k, nil
}

// DecodeValue reads a value of the traits topic that is not null, as strictly
// as DecodeKey. Of previous, environment and label null is none.
func DecodeValue(b []byte) (Change, error) {
	if c, ok := plainValue(b); ok {
		return c, nil
	}
	return decodeValue(b)
}

// decodeValue reads any JSON.
func decodeValue(b []byte) (Change, error) {
	var w wireValue
	if err := json.Unmarshal(b, &w); err != nil {
		return Change{}, fmt.Errorf("reading the value of a change: %w", err)
	}
	c, err := w.change()
	if err != nil {
		return Change{}, fmt.Errorf("reading the value of a change: %w", err)
	}
	return c, nil
}

func (w *wireKey) key() (trait.Key, error) {
	if w.Identity == nil || w.ID == nil || w.Trait == nil {
		return trait.Key{}, errMissing
	}
	k := trait.Key{User: []byte(*w.ID), Trait: []byte(*w.Trait)}
	for _, k.Identity = range []impression.Identity{impression.User, impression.Anonymous} {
		if k.Identity.String() == *w.Identity {
			return k, nil
		}
	}
	return trait.Key{}, fmt.Errorf("unknown identity %q", *w.Identity)
}

func (w *wireValue) change() (Change, error) {
	k, err := w.key()
	if err != nil {
		return Change{}, err
	}
	if w.Value == nil || w.Previous == nil || w.SeenAt == nil || w.Split == nil || w.FlagVersion == nil ||
		w.Definition == nil || w.ChangeID == nil || w.Source == nil ||
		w.Source.Topic == nil || w.Source.Partition == nil || w.Source.Offset == nil {
		return Change{}, errMissing
	}
	seenAt, err := time.Parse(timeLayout, *w.SeenAt)
	if err != nil {
		return Change{}, fmt.Errorf("seen_at: %w", err)
	}
	c := Change{Key: k, Emission: trait.Emission{
		Sent:     true,
		Value:    orNone(w.Value),
		Previous: orNone(w.Previous),
		SeenAt:   seenAt.UnixMilli(),
		Version:  *w.FlagVersion,
		Facts: trait.Facts{
			Flag:        []byte(*w.Split),
			Environment: optional(w.Environment),
			Label:       optional(w.Label),
			Definition:  *w.Definition,
			Place:       w.Source.place(),
		},
	}}
	if c.Emission.Value == nil {
		return Change{}, errMissing
	}
	if hex.DecodedLen(len(*w.ChangeID)) != len(c.ID) {
		return Change{}, fmt.Errorf("change_id %q is not 32 hex digits", *w.ChangeID)
	}
	if _, err := hex.Decode(c.ID[:], []byte(*w.ChangeID)); err != nil {
		return Change{}, fmt.Errorf("change_id: %w", err)
	}
	return c, nil
}

func (w *wireSource) place() trait.Place {
	p := trait.Place{Topic: *w.Topic, Partition: *w.Partition, Offset: *w.Offset, Index: -1, Timestamp: -1}
	if w.Index != nil {
		p.Index = *w.Index
	}
	return p
}

// orNone turns JSON's null into nil.
func orNone(v jsontext.Value) []byte {
	if v.Kind() == 'n' {
		return nil
	}
	return v
}

func optional(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}

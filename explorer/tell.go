package explorer

import (
	"bytes"
	"encoding/hex"
	"time"

	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// Teller puts into words what a task knows.
type Teller struct {
	App    string
	Traits *trait.Set // for when they expire
	Origin Origin
}

// User tells what is known of all traits of a user.
func (t *Teller) User(u state.User, k *state.Known) *User {
	user := &User{Identity: u.Identity.String(), ID: u.ID, Traits: []Trait{}, Forgotten: last(k.Markers), Origin: t.Origin}
	for i := range k.Traits {
		user.Traits = append(user.Traits, *t.told(u, k, &k.Traits[i]))
	}
	if k.More {
		next := user.Traits[len(user.Traits)-1].Trait
		user.Next = &next
	}
	return user
}

// Trait tells what is known of the one trait that was looked up.
func (t *Teller) Trait(u state.User, name string, k *state.Known) *Trait {
	if len(k.Traits) > 0 {
		return t.told(u, k, &k.Traits[0])
	}
	one := &Trait{Identity: u.Identity.String(), ID: u.ID, Trait: name, State: Unknown, Forgotten: last(k.Markers), Origin: t.Origin}
	if one.Forgotten != nil {
		one.State = Forgotten
	}
	return one
}

func (t *Teller) told(u state.User, k *state.Known, kt *state.KnownTrait) *Trait {
	rec := &kt.Record
	seenAt := Time(rec.Seen.SeenAt)
	one := &Trait{
		Identity: u.Identity.String(), ID: u.ID, Trait: string(kt.Name), State: Set, SeenAt: &seenAt,
		Forgotten: last(k.Markers), Origin: t.Origin,
	}
	if rec.Emitted.Sent {
		one.change(&rec.Emitted)
		id := trait.ChangeID(t.App, trait.Key{Identity: u.Identity, User: []byte(u.ID), Trait: kt.Name}, &rec.Emitted)
		one.ChangeID = text(hex.EncodeToString(id[:]))
		generation := rec.Emitted.Generation
		one.Generation = &generation
	}
	switch {
	case rec.Seen.Value == nil:
		one.State = NotServed
	case !bytes.Equal(rec.Seen.Value, rec.Emitted.Value):
		one.State, one.Unsent = Unsent, rec.Seen.Value
	}
	if after := t.Traits.ExpireAfter(kt.Name, rec).Milliseconds(); after > 0 {
		at := seenAt + Time(after)
		one.ExpiresAt = &at
		if int64(at) <= k.Clock {
			one.State = Expired
		}
	}
	return one
}

// change takes in the facts of a change.
func (one *Trait) change(e *trait.Emission) {
	changedAt := Time(e.SeenAt)
	one.Value, one.Previous, one.ChangedAt = e.Value, e.Previous, &changedAt
	if at := Time(e.Facts.Place.Timestamp); at >= 0 {
		one.ChangeTimestamp = &at
	}
	if e.Value == nil {
		one.Reason = text(e.Reason)
	}
	f := &e.Facts
	if f.Flag == nil {
		return // of a removal by a command or by time
	}
	version := e.Version
	one.Split, one.FlagVersion, one.Definition = text(string(f.Flag)), &version, text(f.Definition)
	one.Environment, one.Label = optional(f.Environment), optional(f.Label)
	one.Source = &Source{Topic: f.Place.Topic, Partition: f.Place.Partition, Offset: f.Place.Offset}
	if f.Place.Index >= 0 {
		index := f.Place.Index
		one.Source.Index = &index
	}
}

// last returns the marker that refuses longest.
func last(markers []schemas.Marker) *Marker {
	var m *Marker
	for _, one := range markers {
		if m == nil || Time(one.Until) > m.Until {
			m = &Marker{At: Time(one.At), Until: Time(one.Until)}
		}
	}
	return m
}

func text(s string) *string { return &s }

func optional(b []byte) *string {
	if b == nil {
		return nil
	}
	return text(string(b))
}

func timeOf(t time.Time) *Time {
	at := Time(t.UnixMilli())
	return &at
}

package state

import (
	"bytes"
	"fmt"
	"slices"

	"traitstream/schemas"
	"traitstream/trait"
)

// Lookup asks for what a task knows of a user.
type Lookup struct {
	Task int32
	User User
	// Trait names the only trait that is wanted; nil: all are.
	Trait []byte
	// Behind leaves out the traits up to this name.
	Behind []byte
	// Most bounds how many traits are returned; there are fewer where they are large.
	Most int
}

// Known is what a task knows of a user.
type Known struct {
	// Traits come in the order of their names' bytes.
	Traits []KnownTrait
	// More tells that there are others behind the last one.
	More bool
	// Markers say that the user was forgotten, and the trait that was asked for.
	Markers []schemas.Marker
	// Clock is the task's, by which traits expire, in ms since 1970.
	Clock int64
}

// KnownTrait is the state of a trait.
type KnownTrait struct {
	Name   []byte
	Record trait.Record
}

// Known returns what a task knows of a user as it was committed last, unlogged
// moves included. It may be called between two transactions only, and is an
// [ErrTaken] where the overlay's share of it has been lost to somebody else.
func (o *Overlay) Known(l Lookup) (*Known, error) {
	r := &lookup{Lookup: l, o: o, known: &Known{}}
	if err := r.rely(); err != nil {
		return nil, err
	}
	if err := r.run(); err != nil {
		return nil, fmt.Errorf("looking up a user: %w", err)
	}
	return r.known, nil
}

// mostBytes bounds what a lookup returns, but for its last trait, in bytes.
const mostBytes = 4 << 20

// lookup is one under way.
type lookup struct {
	Lookup
	o     *Overlay
	holds bool // the overlay has what the store lacks of the task
	known *Known
	bytes int
	err   error
}

// rely finds out whether the overlay has a say beside the store.
func (r *lookup) rely() error {
	switch {
	case r.o.tasks[r.Task] == nil:
		return nil
	case r.o.s.holders.has(r.Task, r.o):
		r.holds = true
		return nil
	}
	if _, waits := r.o.cps[r.Task]; waits || r.o.hasMoves(r.Task) {
		return fmt.Errorf("task %d: %w", r.Task, ErrTaken)
	}
	return nil
}

func (r *lookup) run() (err error) {
	if r.known.Clock, err = r.clock(); err != nil {
		return err
	}
	user := trait.Key{Identity: r.User.Identity, User: []byte(r.User.ID)}
	if err := r.marker(user); err != nil {
		return err
	}
	if r.Trait == nil {
		return r.all()
	}
	user.Trait = r.Trait
	if err := r.marker(user); err != nil {
		return err
	}
	value, err := r.one(schemas.AppendStateKey(nil, user))
	if err != nil || value == nil {
		return err
	}
	return r.add(r.Trait, value)
}

// clock returns the task's, 0 where no tick has moved it.
func (r *lookup) clock() (int64, error) {
	value, err := r.one(schemas.ClockKey())
	if err != nil || value == nil {
		return 0, err
	}
	return schemas.DecodeClock(value)
}

// marker adds that of a user or of a trait, if there is one.
func (r *lookup) marker(k trait.Key) error {
	value, err := r.one(schemas.AppendMarkerKey(nil, schemas.MarkerKeyOf(r.o.s.opts.App, k)))
	if err != nil || value == nil {
		return err
	}
	m, err := schemas.DecodeMarker(value)
	r.known.Markers = append(r.known.Markers, m)
	return err
}

// one returns the value under a state key, nil if there is none.
func (r *lookup) one(key []byte) ([]byte, error) {
	full := append(appendTask(nil, kindRecord, r.Task), key...)
	if value, ok := r.newer(full); ok {
		return value, nil
	}
	return r.o.s.read(full)
}

// newer returns what was committed under a key and is not in the store: nil for a
// removal, and false where the store has it.
func (r *lookup) newer(key []byte) ([]byte, bool) {
	if !r.holds {
		return nil, false
	}
	g := r.o.young
	slot, ok := g.find(g.index.hash(key), key)
	if !ok {
		return nil, false
	}
	e := g.entries.at(slot)
	switch {
	case !e.waits && !e.unlogged:
		return nil, false
	case e.valueLen == 0:
		return nil, true
	case e.moved:
		value, _ := schemas.AppendMoved(nil, g.value(e), e.seenAt, e.version) // LastSeen told of it
		return value, true
	}
	return g.value(e), true
}

// all adds the traits of the user: those of the store, and between them those that
// wait for it.
func (r *lookup) all() error {
	prefix := schemas.UserPrefix(appendTask(nil, kindRecord, r.Task), r.User.Identity, []byte(r.User.ID))
	lower := slices.Clone(prefix)
	if r.Behind != nil {
		lower = append(append(lower, r.Behind...), 0)
	}
	upper := slices.Clone(prefix)
	upper[len(upper)-1]++ // it ends with a byte of its own
	waiting := r.waiting(prefix, lower)
	err := r.o.s.scanRange(r.Task, lower, upper, func(e Entry) bool {
		key := append(appendTask(nil, kindRecord, r.Task), e.Key...)
		for len(waiting) > 0 && bytes.Compare(waiting[0], key) < 0 {
			if !r.take(waiting[0], len(prefix), nil) {
				return false
			}
			waiting = waiting[1:]
		}
		if len(waiting) > 0 && bytes.Equal(waiting[0], key) {
			waiting = waiting[1:]
		}
		return r.take(key, len(prefix), e.Value)
	})
	for _, key := range waiting {
		if r.err != nil || r.known.More {
			break
		}
		r.take(key, len(prefix), nil)
	}
	if err == nil {
		err = r.err
	}
	return err
}

// take adds the trait under a key of which the store has a value, or nil. It is
// false when there is no room for more.
func (r *lookup) take(key []byte, prefix int, stored []byte) bool {
	if _, _, shadow := trait.Unshadow(key[prefix:]); shadow {
		return true // of definitions that are on their way
	}
	value, ok := r.newer(key)
	if !ok {
		value = stored
	}
	switch {
	case value == nil:
		return true
	case len(r.known.Traits) >= r.Most || r.bytes >= mostBytes:
		r.known.More = true
		return false
	}
	r.err = r.add(key[prefix:], value)
	return r.err == nil
}

// add adds a trait, whose name and value are copied.
func (r *lookup) add(name, value []byte) error {
	t := KnownTrait{Name: slices.Clone(name)}
	if err := schemas.DecodeRecord(slices.Clone(value), &t.Record); err != nil {
		return err
	}
	r.known.Traits = append(r.known.Traits, t)
	r.bytes += len(name) + len(value)
	return nil
}

// waiting returns the keys of a user's records that wait for the store, from one
// on, in order. Who waits is looked for by a hash of the user, since there may be
// a hundred thousand; the hashes are made when somebody asks.
func (r *lookup) waiting(prefix, lower []byte) [][]byte {
	if !r.holds {
		return nil
	}
	o := r.o
	for _, slot := range o.waiting[len(o.waitingUsers):] {
		key := o.key(slot)
		o.waitingUsers = append(o.waitingUsers, o.young.index.hash(key[:prefixLen+len(schemas.UserPart(key[prefixLen:]))]))
	}
	var keys [][]byte
	hash := o.young.index.hash(prefix)
	for i, slot := range o.waiting {
		if o.waitingUsers[i] != hash {
			continue
		}
		key := o.key(slot)
		if bytes.HasPrefix(key, prefix) && bytes.Compare(key, lower) >= 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

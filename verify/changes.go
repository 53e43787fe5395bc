package verify

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// readTraits reads the traits topic of the pass's tasks. It comes after the
// changelog, which knows the generations of definitions.
func (p *pass) readTraits(ctx context.Context) error {
	return p.readTopic(ctx, p.o.Topics.Traits.Name, p.cut.traits, p.change)
}

// change takes a record of the traits topic.
func (p *pass) change(r *kgo.Record) error {
	p.changes.Add(1)
	key, err := p.keyOf(r.Key)
	if errors.Is(err, avro.ErrAway) {
		return err
	}
	if err != nil {
		p.differRecord(at(r, WrongRecord, fmt.Sprintf("%q is not the key of a trait in canonical form", r.Key)))
		return nil //nolint:nilerr // it is a difference, not a failure
	}
	if task := kafka.Partition(key.User, p.o.Topics.Tasks); task != r.Partition {
		p.misplaced(r, key, task)
		return nil
	}
	value, unreadable := p.valueOf(r.Value)
	if errors.Is(unreadable, avro.ErrAway) {
		return unreadable
	}
	id := schemas.AppendStateKey(nil, key)
	ev := p.of(p.shards[r.Partition], id)
	if ev == nil {
		return nil
	}
	if kind, wrong := p.follow(ev, key, r, value, unreadable); wrong != "" && ev.fault == nil {
		fault := at(r, kind, wrong)
		ev.fault = &fault
	}
	return nil
}

// keyOf reads a key, which must have the bytes that it would be written with:
// compaction compares them.
func (p *pass) keyOf(data []byte) (trait.Key, error) {
	text, again := data, func(k trait.Key) []byte { return schemas.AppendKey(nil, k) }
	if a := p.o.Avro; a != nil {
		var err error
		if text, err = a.Key(data); err != nil {
			return trait.Key{}, err
		}
		again = func(k trait.Key) []byte { return a.AppendKey(nil, k) }
	}
	key, err := schemas.DecodeKey(text)
	if err == nil && !bytes.Equal(again(key), data) {
		err = errors.New("not in canonical form")
	}
	return key, err
}

// follow makes a record the last one that the traits topic says of a trait, and
// tells what is wrong with it, if something is. What a replay sends again must be
// the last one; where compaction has taken that, it stands for it.
func (p *pass) follow(ev *evidence, key trait.Key, r *kgo.Record, value []byte, unreadable error) (kind Kind, wrong string) {
	last, as := ev.sent, p.bytes(r)
	if job := replayedBy(r); job >= 0 && last.known {
		if as != last.bytes {
			return WrongReplay, fmt.Sprintf("replay job %s sends it again, and it is not the change before, byte for byte", r.Headers[job].Value)
		}
		return "", ""
	}
	e, id, wrong := p.parse(key, r, value, unreadable)
	if r.Value != nil && e.Value == nil {
		ev.unreadable = true
		return WrongRecord, wrong
	}
	ev.sent = sent{
		known: true, value: string(e.Value), seenAt: e.SeenAt, from: placeOf(&e.Facts.Place), at: r.Offset, id: id,
		count: last.count + 1, sum: p.chain(last.sum, string(e.Value), placeOf(&e.Facts.Place)),
		digest:  p.digest(value, e.Reason, id),
		bytes:   as,
		forGood: e.Reason == trait.Forgotten || e.Reason == trait.Expired || e.Reason == trait.DefinitionRemoved, expired: last.expired,
	}
	if e.Reason == trait.Expired {
		ev.sent.expired = r.Timestamp.UnixMilli()
	}
	e.Removes = last.id
	switch {
	case wrong != "":
		return WrongRecord, wrong
	case e.Value == nil && !last.known: // what it removes was compacted away
	case last.known && string(e.Value) == last.value:
		return WrongChain, fmt.Sprintf("the same again: %s follows %s", said(last.value, 0, place{}), said(string(e.Value), 0, place{}))
	case last.known && e.Value != nil && string(e.Previous) != last.value:
		return WrongChain, fmt.Sprintf("previous is %s, but the change before says %s", said(string(e.Previous), 0, place{}), said(last.value, 0, place{}))
	case !p.hasID(key, &e, id, ev):
		return WrongID, fmt.Sprintf("change_id %x is not the one that follows from its cause", id)
	}
	return "", ""
}

// hasID tells whether an id is that of a change, by the definitions in force or by
// those of a generation before.
func (p *pass) hasID(key trait.Key, e *trait.Emission, id [16]byte, ev *evidence) bool {
	rec, most := ev.changelog(), p.o.Generation
	if d := p.shards[kafka.Partition(key.User, p.o.Topics.Tasks)].away.definitions; d != nil {
		most = max(most, d.Generation, d.Next)
	}
	for e.Generation = max(rec.Emitted.Generation, most); ; e.Generation-- {
		if trait.ChangeID(p.o.Config.App, key, e) == id {
			return true
		}
		if e.Generation == 0 || e.Value == nil {
			return false
		}
	}
}

// reasons are those of removals.
var reasons = []string{"forgotten", "expired", "definition_removed", "not_served"}

// parse reads a record of the traits topic, whose value is given as JSON unless it
// is unreadable; of a removal only the reason. It returns no value where that
// can't be read.
func (p *pass) parse(key trait.Key, r *kgo.Record, value []byte, unreadable error) (e trait.Emission, id [16]byte, wrong string) {
	n, err := hex.Decode(id[:], header(r, schemas.HeaderChangeID, 2*len(id)))
	app := header(r, schemas.HeaderApp, 1<<10)
	switch {
	case err != nil || n != len(id):
		wrong = "the header " + schemas.HeaderChangeID + " is missing or no id"
	case string(app) != p.o.Config.App:
		wrong = fmt.Sprintf("the header %s is %q, not %q", schemas.HeaderApp, app, p.o.Config.App)
	}
	if r.Value == nil {
		e = trait.Emission{Sent: true, Reason: string(header(r, schemas.HeaderReason, 1<<10))}
		if wrong == "" && !slices.Contains(reasons, e.Reason) {
			wrong = fmt.Sprintf("a removal has the reason %q", e.Reason)
		}
		return e, id, wrong
	}
	if unreadable != nil {
		return e, id, unreadable.Error()
	}
	c, err := schemas.DecodeValue(value)
	switch {
	case err != nil:
		return e, id, err.Error()
	case wrong != "":
	case c.ID != id:
		wrong = fmt.Sprintf("value and header tell two ids, %x and %x", c.ID, id)
	case !bytes.Equal(schemas.AppendKey(nil, c.Key), schemas.AppendKey(nil, key)):
		wrong = "value and key tell of two traits"
	}
	return c.Emission, id, wrong
}

// valueOf returns a value as JSON writes it.
func (p *pass) valueOf(data []byte) ([]byte, error) {
	if p.o.Avro == nil {
		return data, nil
	}
	return p.o.Avro.Value(data)
}

// replayedBy returns which header says that a replay job has sent a record again; -1:
// none does.
func replayedBy(r *kgo.Record) int {
	for i, h := range slices.Backward(r.Headers) {
		if h.Key == schemas.HeaderReplay {
			return i
		}
	}
	return -1
}

// header returns the last header of a name, nil if there is none or if it is
// longer than most.
func header(r *kgo.Record, name string, most int) []byte {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == name && len(h.Value) <= most {
			return h.Value
		}
	}
	return nil
}

// digest sums up a record of the traits topic.
func (v *verifier) digest(value []byte, reason string, id [16]byte) uint64 {
	var h maphash.Hash
	h.SetSeed(v.seed)
	_, _ = h.Write(value)
	_, _ = h.WriteString(reason)
	_, _ = h.Write(id[:])
	return h.Sum64()
}

// bytes sums up all of a record of the traits topic but that it was sent again.
func (v *verifier) bytes(r *kgo.Record) (sum uint64) {
	if r.Value != nil {
		sum = maphash.Bytes(v.seed, r.Value)
	}
	replay := replayedBy(r)
	for i, h := range r.Headers {
		if i != replay {
			sum = maphash.Comparable(v.seed, told{sum, h.Key, maphash.Bytes(v.seed, h.Value)})
		}
	}
	return sum
}

// told is a header behind the sum of what comes before it.
type told struct {
	sum   uint64
	name  string
	value uint64
}

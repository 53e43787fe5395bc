package preview

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/cespare/xxhash/v2"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// shard is a part of a table: some users with all their traits. Its maps and
// slices hold no pointers, but for the few contents.
type shard struct {
	table *table

	mu        sync.Mutex
	level     int
	index     map[uint64]uint32 // of registers, by user and trait
	registers []register
	people    map[uint64]uint32 // of persons, by hash
	persons   []person
	sets      []uint64 // of definitions that fed a trait of a person, table.words each
	names     []byte   // of persons
	contents  contents
	forgotten map[uint32]int64 // until when impressions are refused, by register
}

// register is what was last seen of a trait, and what the app holds of it.
type register struct {
	seenAt, version int64
	heldAt          int64
	person          uint32
	seen, held      uint32 // contents; 0: none
	flags           uint8
}

// Flags of a register.
const (
	sent    = 1 << iota // something went out
	flux                // what was last seen may not have been processed by the app
	lost                // what is held comes from history that is not read
	orphan              // the definition of what is held is not in the file
	limited             // it is among the forgotten
)

// person is a user.
type person struct {
	hash     uint64
	name     uint32 // where it begins
	length   uint16
	identity impression.Identity
}

// What registers and persons take in memory with their indexes, bytes.
const (
	registerBytes = 80
	personBytes   = 56
)

func (s *shard) bytes() int64 {
	return int64(len(s.registers)*registerBytes+len(s.persons)*(personBytes+8*s.table.words)+cap(s.names)) + s.contents.bytes
}

// clear makes the shard empty, with room.
func (s *shard) clear(registers, persons int) {
	s.index = make(map[uint64]uint32, registers)
	s.registers = make([]register, 0, registers)
	s.people = make(map[uint64]uint32, persons)
	s.persons = make([]person, 0, persons)
	s.sets, s.names, s.forgotten = nil, nil, nil
	s.contents = newContents()
}

// merge merges what an impression says of a trait of a user who is kept, and
// tells what became of it and whether there was a value before. The app may not
// have processed it where inFlux is set.
func (s *shard) merge(hash uint64, k trait.Key, in trait.Register, definition int, inFlux bool) (outcome trait.Outcome, had bool) {
	id := s.contents.of(definition, k.Trait, in.Treatment, in.Value)
	at := s.at(hash, k, s.contents.list[id].hash)
	r := &s.registers[at]
	if r.flags&limited != 0 && in.SeenAt <= s.forgotten[at] {
		return trait.Late, false
	}
	before := &s.contents.list[r.seen]
	if r.seen == 0 || before.definition != definition {
		s.feed(r.person, definition)
	}
	rec := trait.Record{Seen: trait.Register{SeenAt: r.seenAt, Version: r.version, Treatment: before.treatment, Value: before.value}}
	// What was sent last is what was seen last (S3).
	rec.Emitted.Sent, rec.Emitted.Value = r.flags&sent != 0, before.value
	outcome = rec.Merge(s.table.app, k, in, trait.Facts{}, 0)
	if outcome == trait.Late || outcome == trait.Duplicate {
		return outcome, false
	}
	r.seenAt, r.version, r.seen = in.SeenAt, in.Version, id
	r.flags &^= flux
	if inFlux {
		r.flags |= flux
	}
	if rec.Emitted.Sent {
		r.flags |= sent
	}
	return outcome, before.value != nil
}

// indexKey returns under which key the register of a user's trait is found, by the
// hashes of both.
func indexKey(user, name uint64) uint64 { return bits.RotateLeft64(user, 32)*0x9e3779b97f4a7c15 ^ name }

// at returns the place of a trait's register, by the hashes of user and trait.
func (s *shard) at(hash uint64, k trait.Key, name uint64) uint32 {
	key := indexKey(hash, name)
	at, ok := s.index[key]
	if ok {
		return at
	}
	at = uint32(len(s.registers))
	s.index[key] = at
	s.registers = append(s.registers, register{person: s.person(hash, k)})
	if until, ok := s.table.forgotten(k); ok {
		if s.forgotten == nil {
			s.forgotten = map[uint32]int64{}
		}
		s.forgotten[at] = until
		s.registers[at].flags |= limited
	}
	return at
}

// forgotten returns until when a trait or its user was forgotten.
func (t *table) forgotten(k trait.Key) (until int64, ok bool) {
	if len(t.markers) == 0 {
		return 0, false
	}
	user := k
	user.Trait = nil
	for _, k := range []trait.Key{user, k} {
		if at, there := t.markers[schemas.MarkerKeyOf(t.app, k)]; there {
			until, ok = max(until, at), true
		}
	}
	return until, ok
}

// person returns the place of a user.
func (s *shard) person(hash uint64, k trait.Key) uint32 {
	if at, ok := s.people[hash]; ok {
		return at
	}
	at := uint32(len(s.persons))
	s.table.count.Add(1)
	s.people[hash] = at
	s.persons = append(s.persons, person{hash: hash, name: uint32(len(s.names)), length: uint16(len(k.User)), identity: k.Identity})
	s.names = append(s.names, k.User...)
	for range s.table.words {
		s.sets = append(s.sets, 0)
	}
	return at
}

func (s *shard) nameOf(p *person) string { return string(s.names[p.name : p.name+uint32(p.length)]) }

// feed notes that a definition fed a trait of a person.
func (s *shard) feed(person uint32, definition int) {
	s.sets[int(person)*s.table.words+definition/64] |= 1 << (definition % 64)
}

// fed tells whether a definition fed a trait of a person.
func (s *shard) fed(person, definition int) bool {
	return s.sets[person*s.table.words+definition/64]>>(definition%64)&1 == 1
}

// hold notes what the app holds of a trait.
func (s *shard) hold(hash uint64, k trait.Key, value []byte, heldAt int64, flags uint8) {
	id := s.contents.of(noDefinition, k.Trait, nil, value)
	r := &s.registers[s.at(hash, k, s.contents.list[id].hash)]
	r.held, r.heldAt = id, heldAt
	r.flags = r.flags&^(lost|orphan) | flags
}

// release notes that the app holds nothing of a trait any more.
func (s *shard) release(hash uint64, k trait.Key) {
	if at, ok := s.index[indexKey(hash, xxhash.Sum64(k.Trait))]; ok {
		s.registers[at].held = 0
	}
}

// shrink lets go of the users whose hash does not begin with as many zeros. The
// table's lock is held.
func (s *shard) shrink(level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := shard{index: s.index, registers: s.registers, persons: s.persons, sets: s.sets, names: s.names, contents: s.contents, forgotten: s.forgotten, table: s.table}
	s.clear(len(old.registers)/2, len(old.persons)/2)
	s.level = level
	s.table.count.Add(-int64(len(old.persons)))
	for i := range old.persons {
		p := &old.persons[i]
		if s.keeps(p.hash) {
			at := s.person(p.hash, trait.Key{Identity: p.identity, User: []byte(old.nameOf(p))})
			copy(s.sets[int(at)*s.table.words:], old.sets[i*s.table.words:(i+1)*s.table.words])
			continue
		}
		for d := range s.table.dropped {
			if old.fed(i, d) {
				s.table.dropped[d].add(p.hash)
			}
		}
	}
	for key, i := range old.index {
		r := old.registers[i]
		hash := old.persons[r.person].hash
		if !s.keeps(hash) {
			continue
		}
		at := uint32(len(s.registers))
		r.person = s.people[hash]
		r.seen, r.held = s.contents.take(&old.contents, r.seen), s.contents.take(&old.contents, r.held)
		s.index[key] = at
		s.registers = append(s.registers, r)
		if until, ok := old.forgotten[i]; ok {
			if s.forgotten == nil {
				s.forgotten = map[uint32]int64{}
			}
			s.forgotten[at] = until
		}
	}
}

// content is what a register may hold: a value of a trait by a definition.
type content struct {
	definition       int // noDefinition of what the app holds
	trait            []byte
	treatment, value []byte // value is nil for none
	hash             uint64 // of the trait
}

const noDefinition = -1

// contents has each content once; most are shared by many registers. The first
// stands for none.
type contents struct {
	list  []content
	ids   map[string]uint32
	key   []byte
	bytes int64
}

// contentBytes is what a content takes beside its bytes.
const contentBytes = 200

func newContents() contents {
	return contents{list: make([]content, 1), ids: map[string]uint32{}}
}

// of returns the id of a content.
func (c *contents) of(definition int, name, treatment, value []byte) uint32 {
	key := binary.LittleEndian.AppendUint32(c.key[:0], uint32(definition))
	key = binary.LittleEndian.AppendUint32(key, uint32(len(name)))
	key = append(key, name...)
	key = binary.LittleEndian.AppendUint32(key, uint32(len(treatment)))
	key = append(key, treatment...)
	if value != nil {
		key = append(key, 1)
		key = append(key, value...)
	}
	c.key = key
	if id, ok := c.ids[string(key)]; ok {
		return id
	}
	return c.add(string(key), content{definition: definition, hash: xxhash.Sum64(name)}, len(name), len(treatment), value != nil)
}

// add adds a content that is cut out of its key.
func (c *contents) add(key string, made content, name, treatment int, some bool) uint32 {
	b := []byte(key)[8:]
	made.trait = b[:name:name]
	b = b[name+4:]
	made.treatment = b[:treatment:treatment]
	if some {
		made.value = b[treatment+1:]
	}
	id := uint32(len(c.list))
	c.ids[key] = id
	c.list = append(c.list, made)
	c.bytes += int64(2*len(key)) + contentBytes
	return id
}

// take returns the id of a content of others.
func (c *contents) take(o *contents, id uint32) uint32 {
	if id == 0 {
		return 0
	}
	of := &o.list[id]
	return c.of(of.definition, of.trait, of.treatment, of.value)
}

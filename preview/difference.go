package preview

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// compare counts a register, which has a content in the end, by how that differs
// from what the app holds.
func (s *summary) compare(sh *shard, at, id uint32) {
	r := &sh.registers[at]
	if id == 0 && r.held == 0 {
		return
	}
	if r.held != 0 && r.flags&orphan != 0 && id > 0 && !s.p.fresh[sh.contents.list[id].definition] {
		id = 0 // a definition that is not computed anew gives nothing back
	}
	computed, held := &sh.contents.list[id], &sh.contents.list[r.held]
	name := held.trait
	if id > 0 {
		name = computed.trait
	}
	of := s.byTrait[string(name)]
	if of == nil {
		of = &TraitDifference{Trait: string(name)}
		s.byTrait[of.Trait] = of
	}
	gone := r.flags&lost != 0 && r.held != 0 && (r.seen == 0 || r.heldAt > r.seenAt)
	before := of.apart()
	switch {
	case bytes.Equal(computed.value, held.value):
		of.Same += s.weight
	case r.flags&flux != 0:
		s.apart.Unprocessed += s.weight
	case gone && r.flags&orphan == 0:
		s.apart.Kept += s.weight
	case !s.touches(sh, r, id):
		s.apart.Untouched += s.weight
	case r.held == 0:
		of.Added += s.weight
		s.example(0, sh, at, id)
	case id == 0:
		of.Removed += s.weight
		s.example(1, sh, at, id)
	default:
		of.Changed += s.weight
		s.example(2, sh, at, id)
	}
	if of.apart() > before && gone && s.yields(of.Trait) {
		s.apart.Lost += s.weight
	}
}

// touches tells whether applying the definitions changes a trait that differs, and
// has a content in the end: where the definition of what is held goes, where one that
// is computed anew has seen the trait last, or where it has expired.
func (s *summary) touches(sh *shard, r *register, id uint32) bool {
	if s.p.o.Change == nil || r.held != 0 && r.flags&orphan != 0 {
		return true
	}
	if r.seen == 0 {
		return false
	}
	c := &sh.contents.list[r.seen]
	if s.p.fresh[c.definition] {
		return r.held == 0 || r.seenAt >= r.heldAt
	}
	return id == 0 && c.value != nil
}

// yields tells whether a definition that is computed anew can yield a trait of a name.
func (s *summary) yields(trait string) bool {
	if s.p.o.Change == nil {
		return false
	}
	can, known := s.yield[trait]
	if !known {
		can = s.p.o.Change.New.CanYield(trait)
		s.yield[trait] = can
	}
	return can
}

func (s *summary) example(kind int, sh *shard, at, id uint32) {
	r := &sh.registers[at]
	hash := sh.persons[r.person].hash ^ sh.contents.list[max(r.seen, r.held)].hash
	s.examples[kind].take(s.p.o.Sample, pick{hash: hash, shard: sh, at: at, id: id})
}

// difference returns what was compared.
func (s *summary) difference() *Difference {
	d := s.apart
	d.Topic, d.Exists = s.p.o.Topics.Traits.Name, s.p.app.there
	d.Waiting, d.Unread = s.p.app.waiting, s.p.app.unread.Load()
	for _, of := range s.byTrait {
		d.Added += of.Added
		d.Removed += of.Removed
		d.Changed += of.Changed
		d.Same += of.Same
		if of.apart() > 0 {
			d.Traits = append(d.Traits, *of)
		}
	}
	slices.SortFunc(d.Traits, func(a, b TraitDifference) int {
		return cmp.Or(cmp.Compare(b.apart(), a.apart()), strings.Compare(a.Trait, b.Trait))
	})
	d.MoreTraits = max(0, len(d.Traits)-mostTraits)
	d.Traits = d.Traits[:len(d.Traits)-d.MoreTraits]
	for kind, word := range []string{kindAdded, kindRemoved, kindChanged} {
		for _, p := range s.examples[kind].list {
			d.Examples = append(d.Examples, p.example(word))
		}
	}
	return d
}

func (t *TraitDifference) apart() int64 { return t.Added + t.Removed + t.Changed }

func (p *pick) example(kind string) Example {
	r := &p.shard.registers[p.at]
	who := &p.shard.persons[r.person]
	computed, held := &p.shard.contents.list[p.id], &p.shard.contents.list[r.held]
	name := held.trait
	if p.id > 0 {
		name = computed.trait
	}
	return Example{
		Kind: kind, Identity: who.identity.String(), ID: p.shard.nameOf(who), Trait: string(name),
		Held: string(held.value), Computed: string(computed.value),
	}
}

package preview

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// report sums up what was read; complete tells that it is all.
func (p *preview) report(complete bool) *Report {
	t := p.total
	r := &Report{
		Complete: complete, Share: 1, OneIn: 1 << p.table.level, Records: t.records, Impressions: t.impressions, Skipped: t.skipped,
		NoMatch: t.noMatch, NotServed: t.notServed, Refused: t.refused, First: t.first, Last: t.last,
		Unwanted: unwanted(t.flags),
	}
	if !complete {
		r.Share = 0
		if p.whole > 0 {
			r.Share = min(1, float64(p.done)/float64(p.whole))
		}
	}
	for i, d := range p.o.Config.Traits {
		r.Definitions = append(r.Definitions, Definition{Name: d.Name.String(), Description: d.Description})
		of := &r.Definitions[i]
		of.count(&t.definitions[i])
	}
	for _, m := range t.trial.Misses() {
		of := &r.Definitions[m.Definition]
		of.Misses = append(of.Misses, m)
	}
	s := newSummary(p)
	s.sum()
	s.fill(r)
	if complete {
		r.Difference = s.difference()
	}
	r.Definitions = slices.Collect(p.shown(r.Definitions))
	return r
}

// shown yields the definitions that were asked for: that of a name or, where it
// is that of a trait, those that fed it.
func (p *preview) shown(all []Definition) func(yield func(Definition) bool) {
	return func(yield func(Definition) bool) {
		named := slices.Contains(p.wanted, true)
		for i, d := range all {
			if (p.wanted[i] || !named && d.Impressions > 0) && !yield(d) {
				return
			}
		}
	}
}

func unwanted(flags map[string]*flagTally) (all []Flag) {
	for name, f := range flags {
		if !f.wanted {
			all = append(all, Flag{name, f.impressions})
		}
	}
	slices.SortFunc(all, func(a, b Flag) int {
		return cmp.Or(cmp.Compare(b.Impressions, a.Impressions), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), mostUnwanted)]
}

func (d *Definition) count(t *definitionTally) {
	d.Impressions = t.impressions
	d.Changes = Changes{First: t.first, Changed: t.changed, Removed: t.removed}
	for _, at := range slices.Sorted(maps.Keys(t.days)) {
		d.Changes.Days = append(d.Changes.Days, Day{at * day, t.days[at]})
	}
}

// summary is what the table comes to.
type summary struct {
	p      *preview
	weight int64
	now    int64
	users  []int64 // by definition, of those who are kept
	crowds []crowd // by definition, all users; where not all are kept
	picked []picks // by definition
	traits []map[string]*traitSum
	none   []int64
	old    []int64 // expired

	apart    *Difference
	byTrait  map[string]*TraitDifference
	yield    map[string]bool // what yields has found, by trait
	examples [kindsOfChange]picks
}

type traitSum struct {
	users  int64
	values map[string]int64
}

func newSummary(p *preview) *summary {
	n := len(p.wanted)
	s := &summary{
		p: p, weight: 1 << p.table.level, now: p.o.Now.UnixMilli(),
		users: make([]int64, n), picked: make([]picks, n), traits: make([]map[string]*traitSum, n), none: make([]int64, n), old: make([]int64, n),
		apart: &Difference{}, byTrait: map[string]*TraitDifference{}, yield: map[string]bool{},
	}
	if p.table.level > 0 {
		s.crowds = p.table.dropped
		for i := range s.crowds {
			s.crowds[i].join(&p.total.definitions[i].passed)
		}
	}
	return s
}

// sum goes through all shards. Nobody changes them any more.
func (s *summary) sum() {
	for i := range s.p.table.shards {
		sh := &s.p.table.shards[i]
		for at := range sh.persons {
			s.person(sh, at)
		}
		counts := make([]int64, len(sh.contents.list))
		for at := range sh.registers {
			r := &sh.registers[at]
			id := s.last(sh, r, true)
			counts[id] += s.weight
			s.compare(sh, uint32(at), id)
		}
		for id, n := range counts[1:] {
			if n > 0 {
				s.add(&sh.contents.list[id+1], n)
			}
		}
	}
}

// person counts a user for each definition that fed a trait of his.
func (s *summary) person(sh *shard, at int) {
	p := &sh.persons[at]
	for d := range s.users {
		if !sh.fed(at, d) {
			continue
		}
		s.users[d]++
		if s.crowds != nil {
			s.crowds[d].add(p.hash)
		}
		s.picked[d].take(s.p.o.Sample, pick{hash: p.hash, shard: sh, at: uint32(at)})
	}
}

// last returns the content that a trait has in the end, 0 for none: it may have
// expired.
func (s *summary) last(sh *shard, r *register, count bool) uint32 {
	if r.seen == 0 {
		return 0
	}
	c := &sh.contents.list[r.seen]
	expires := s.p.o.Config.Traits[c.definition].ExpireAfter.Milliseconds()
	switch {
	case c.value == nil:
		if count {
			s.none[c.definition] += s.weight
		}
		return 0
	case expires > 0 && r.seenAt < s.now-expires:
		if count {
			s.old[c.definition] += s.weight
		}
		return 0
	}
	return r.seen
}

// add counts users who have a value.
func (s *summary) add(c *content, users int64) {
	all := s.traits[c.definition]
	if all == nil {
		all = map[string]*traitSum{}
		s.traits[c.definition] = all
	}
	t := all[string(c.trait)]
	if t == nil {
		t = &traitSum{values: map[string]int64{}}
		all[string(c.trait)] = t
	}
	t.users += users
	t.values[string(c.value)] += users
}

// fill puts it into the report.
func (s *summary) fill(r *Report) {
	samples := s.samples()
	for i := range r.Definitions {
		d := &r.Definitions[i]
		d.None, d.Expired, d.Sample = s.none[i], s.old[i], samples[i]
		if d.Users.N = s.users[i]; s.crowds != nil {
			d.Users = Count{s.crowds[i].count(), true}
		}
		for name, t := range s.traits[i] {
			d.Traits = append(d.Traits, t.named(name))
		}
		slices.SortFunc(d.Traits, func(a, b Trait) int { return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Name, b.Name)) })
		d.MoreTraits = max(0, len(d.Traits)-mostTraits)
		d.Traits = d.Traits[:len(d.Traits)-d.MoreTraits]
	}
}

func (t *traitSum) named(name string) Trait {
	all := Trait{Name: name, Users: t.users}
	for value, users := range t.values {
		all.Values = append(all.Values, Value{value, users})
	}
	slices.SortFunc(all.Values, func(a, b Value) int { return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Value, b.Value)) })
	all.MoreValues = max(0, len(all.Values)-mostValuesOf)
	all.Values = all.Values[:len(all.Values)-all.MoreValues]
	return all
}

// samples returns the users of each definition that were picked, with the traits
// that it fed last.
func (s *summary) samples() [][]User {
	type place struct {
		shard *shard
		at    uint32
	}
	wanted := map[place]bool{}
	for i := range s.picked {
		for _, p := range s.picked[i].list {
			wanted[place{p.shard, p.at}] = true
		}
	}
	registers := map[place][]*register{}
	for i := range s.p.table.shards {
		sh := &s.p.table.shards[i]
		for at := range sh.registers {
			if r := &sh.registers[at]; len(wanted) > 0 && wanted[place{sh, r.person}] {
				registers[place{sh, r.person}] = append(registers[place{sh, r.person}], r)
			}
		}
	}
	all := make([][]User, len(s.picked))
	for d := range s.picked {
		for _, p := range s.picked[d].list {
			who := &p.shard.persons[p.at]
			u := User{Identity: who.identity.String(), ID: p.shard.nameOf(who)}
			for _, r := range registers[place{p.shard, p.at}] {
				id := s.last(p.shard, r, false)
				if c := &p.shard.contents.list[id]; id > 0 && c.definition == d {
					u.Traits = append(u.Traits, UserTrait{string(c.trait), string(c.value), r.seenAt})
				}
			}
			slices.SortFunc(u.Traits, func(a, b UserTrait) int { return strings.Compare(a.Trait, b.Trait) })
			all[d] = append(all[d], u)
		}
	}
	return all
}

// pick is a person, or a register, that may be told by name.
type pick struct {
	hash  uint64
	shard *shard
	at    uint32
	id    uint32 // the content that the register has in the end
}

// picks are those with the smallest hashes, in their order: a sample that is the
// same each time.
type picks struct{ list []pick }

func (p *picks) take(most int, one pick) {
	if most == 0 || len(p.list) == most && one.hash >= p.list[most-1].hash {
		return
	}
	at, _ := slices.BinarySearchFunc(p.list, one.hash, func(p pick, hash uint64) int { return cmp.Compare(p.hash, hash) })
	p.list = slices.Insert(p.list, at, one)
	p.list = p.list[:min(len(p.list), most)]
}

package verify

import (
	"fmt"
	"math"
	"slices"

	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// judge compares what the outputs say with what the sources say.
func (p *pass) judge() {
	for _, task := range p.tasks {
		replacing := p.replacing(task)
		if replacing {
			p.tasksReplacing++
		}
		for key, ev := range p.shards[task].traits {
			switch {
			case !replacing:
				p.judgeTrait(key, ev)
			case ev.fault != nil:
				p.differ(key, *ev.fault)
			}
		}
	}
}

// replacing tells whether a task goes over to other definitions than those of now, or
// has: what it must say of a trait depends on whose turn it was.
func (p *pass) replacing(task int32) bool {
	d := p.shards[task].away.definitions
	return d != nil && (d.Phase == schemas.Replacing || d.Generation != p.o.Generation)
}

func (p *pass) judgeTrait(key string, ev *evidence) {
	lapsed := ev.lapsed && ev.base == (register{}) && ev.record == ""
	if ev.record == "" && !ev.sent.known && ev.base == (register{}) && ev.flux == nil && ev.fault == nil && !lapsed {
		return // nobody says anything of it
	}
	p.compared++
	rec := ev.changelog()
	excuse := p.excuse(key, ev, &rec)
	if excuse == BeforeLog && ev.quiet == nil {
		ev.quiet = p.cut.quietLost
	}
	switch d := p.difference(key, ev, &rec, excuse); {
	case d != nil:
		p.differ(key, *d)
	case ev.unsent(&rec) != nil:
		p.notSent[ev.unsent(&rec).id]++
	case excuse != "":
		p.unverifiable[excuse]++
	case lapsed:
		p.unverifiable[ExpiredBefore]++
	case ev.moves() && ev.flux.why != "":
		p.unverifiable[ev.flux.why]++
	case ev.moves():
		p.inFlux++
	}
}

// difference returns the gravest of what is wrong with a trait, nil if nothing
// is.
func (p *pass) difference(key string, ev *evidence, rec *trait.Record, excuse Reason) *Difference {
	if ev.unreadable {
		return ev.fault
	}
	d := p.wrongValue(key, ev, rec, excuse)
	if d == nil && ev.fault != nil {
		return ev.fault
	}
	if d == nil {
		d = p.wrongChange(key, ev, rec, excuse)
	}
	if d != nil {
		d.Topic, d.Partition, d.Offset = p.o.Topics.Traits.Name, p.taskOf(key), ev.sent.offset()
	}
	return d
}

// excuse tells why a trait can't be recomputed for certain, if so. Nothing
// excuses a trait that is behind what its sources say.
func (p *pass) excuse(key string, ev *evidence, rec *trait.Record) Reason {
	e := &rec.Emitted
	if ev.record == "" {
		return ""
	}
	from, known := p.cut.inputs[partition{e.Facts.Place.Topic, e.Facts.Place.Partition}]
	_, configured := p.sources[e.Facts.Place.Topic]
	switch {
	case e.Sent && !p.defined(e):
		return DefinitionGone
	case !e.Sent && p.o.Generation > 0 && len(rec.Seen.Value) == 0 && ev.base == (register{}):
		return DefinitionGone // a none tells no definition
	case e.Sent && !configured:
		return SourceGone
	case registerIn(rec).compare(ev.base) < 0 && !ev.allows(registerIn(rec)):
		return ""
	case e.Sent && known && e.Facts.Place.Offset < from.first && from.lost:
		return BeforeLog
	case e.Sent && known && e.Facts.Place.Offset < from.from && !from.replayed(key, &e.Facts):
		return BeforeGroup
	case !ev.allows(registerIn(rec)) && p.cut.lost():
		return BeforeLog
	}
	return ""
}

// defined tells whether the definition of a change is one of those now, or of the
// generation under which it was made: the trait has the same value by those now.
func (p *pass) defined(e *trait.Emission) bool {
	named := func(d oracle.Definition) bool { return d.Name == e.Facts.Definition }
	return slices.ContainsFunc(p.defs, named) || slices.ContainsFunc(p.generations[e.Generation], named)
}

// lost tells whether retention has removed something of what the group has read.
func (c *cut) lost() bool {
	for _, in := range c.inputs {
		if in.lost {
			return true
		}
	}
	return false
}

// wrongValue compares what the outputs say, and have sent, with what they must
// say.
func (p *pass) wrongValue(key string, ev *evidence, rec *trait.Record, excuse Reason) *Difference {
	logged, recomputed := registerIn(rec), ev.recomputed()
	d := func(kind Kind, found, what string) *Difference {
		return &Difference{Kind: kind, Found: found, Recomputed: recomputed.value, Message: what + ", recomputed " + recomputed.String()}
	}
	topic := "the traits topic says " + ev.sent.String()
	wrong := excuse == "" && !ev.allows(logged)
	switch {
	case wrong && ev.allowsSent():
		return d(WrongChangelog, logged.value, "the changelog says "+logged.String())
	case wrong && ev.sent.value == logged.value:
		return d(WrongTrait, logged.value, topic)
	case wrong:
		return d(WrongTrait, ev.sent.value, topic+", the changelog "+logged.String())
	case string(rec.Emitted.Value) != logged.value && ev.unsent(rec) == nil:
		return d(WrongChangelog, string(rec.Emitted.Value), "the changelog says that the last change was "+
			said(string(rec.Emitted.Value), rec.Emitted.SeenAt, placeOf(&rec.Emitted.Facts.Place)))
	case ev.sent.value != string(rec.Emitted.Value) && !p.agrees(key, ev, rec):
		return d(WrongTopic, ev.sent.value, topic)
	}
	return nil
}

// wrongChange compares what is told of the last change, and of all before, with
// the impressions that made them.
func (p *pass) wrongChange(key string, ev *evidence, rec *trait.Record, excuse Reason) *Difference {
	e, h := &rec.Emitted, &ev.history
	from, topic := placeOf(&e.Facts.Place), "the traits topic says "+ev.sent.String()
	switch exact := excuse == "" && ev.unsent(rec) == nil && p.exact(ev); {
	case !p.agrees(key, ev, rec):
		return &Difference{Kind: WrongChange, Message: topic + ", but that is not the change that the changelog remembers, of " + from.String()}
	case excuse == "" && e.Sent && !ev.witnessed:
		return &Difference{Kind: WrongChange, Message: topic + ", but there is no such impression"}
	case exact && (from != h.from || string(e.Previous) != h.previous):
		return &Difference{Kind: WrongChange, Message: fmt.Sprintf("%s after %s, but the change is that of %s, after %s", topic,
			said(string(e.Previous), 0, place{}), h.from, said(h.previous, 0, place{}))}
	case exact && ev.sent.strays(h):
		return &Difference{Kind: WrongChain, Message: fmt.Sprintf("its %d changes in the traits topic are not the %d that its impressions make", ev.sent.count, h.count)}
	}
	return nil
}

// agrees tells whether the traits topic says what the changelog remembers as
// sent, to the byte unless the trait moves.
func (p *pass) agrees(key string, ev *evidence, rec *trait.Record) bool {
	e := &rec.Emitted
	switch {
	case ev.moves() && (ev.allowsSent() || ev.unsent(rec) == nil):
		return ev.allowsSent()
	case !ev.sent.known:
		return !e.Sent || e.Value == nil // removals go when they are old
	}
	k, err := schemas.DecodeStateKey([]byte(key))
	if err != nil {
		return false
	}
	if !e.Sent { // taken away, and perhaps a none since, of which nothing is sent
		// Other definitions forget what was removed under those before.
		return ev.sent.value == "" && (p.o.Generation > 0 || ev.sent.forGood || ev.away || p.shards[p.taskOf(key)].forgotten(p.o.Config.App, k, math.MinInt64))
	}
	id := trait.ChangeID(p.o.Config.App, k, e)
	if e.Value == nil {
		return ev.sent.digest == p.digest(nil, e.Reason, id)
	}
	return ev.sent.digest == p.digest(schemas.AppendValue(nil, k, e, id), "", id)
}

// exact tells whether the changes follow from the impressions to the byte (S12). Those
// of definitions that came later sum up what was before.
func (p *pass) exact(ev *evidence) bool {
	h := &ev.history
	return p.o.Generation == 0 && h.own != nil && !h.several && ev.flux == nil && !p.cut.lost()
}

// strays tells whether changes are not those of a history. Fewer say nothing:
// compaction keeps the last ones.
func (s *sent) strays(h *history) bool {
	return s.count > h.count || s.count == h.count && s.sum != h.sum
}

// recomputed returns what a trait must say, of several things the last.
func (ev *evidence) recomputed() register {
	if ev.moves() {
		return ev.flux.top
	}
	return ev.base
}

func (p *pass) taskOf(key string) int32 {
	k, err := schemas.DecodeStateKey([]byte(key))
	if err != nil {
		return 0
	}
	return kafka.Partition(k.User, p.o.Topics.Tasks)
}

// offset returns where the last record stands, -1 if there is none.
func (s *sent) offset() int64 {
	if !s.known {
		return -1
	}
	return s.at
}

func (r register) String() string {
	return said(r.value, r.seenAt, r.from)
}

func (s *sent) String() string { return said(s.value, s.seenAt, s.from) }

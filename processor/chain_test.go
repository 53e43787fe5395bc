package processor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"traitstream/config"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// generationSays is a generation of the definitions that tasks went over to, and what
// it makes of every impression.
type generationSays struct {
	number    uint32
	oracle    []oracle.Definition
	switching time.Time // no task is computed by it before
	inForce   time.Time // no task is computed by one before it from then on
	says      map[oracle.Key][]saying
}

// saying is what an impression says of a trait.
type saying struct {
	oracle.Sighting
	timestamp int64 // of its record
}

// link is a change of a trait and what it comes of.
type link struct {
	received
	value      string // empty: removed
	reason     string // of a removal
	id         [16]byte
	generation int // which of those that tasks went over to; -1 for a removal, which does not tell
	of         saying
}

// check holds all changes against a slow and plain reading of the definitions. Each
// comes of an impression that was there, by definitions that were in force or that
// tasks went over to, goes on from the one before, and differs from it; neither
// generations nor, within one, what was seen go back. For users of one partition no
// change is left out either.
func (s *subscriber) check() {
	s.b.t.Helper()
	c := chains{b: s.b, generations: s.b.generations(), own: map[string]bool{}}
	c.readSources()
	links := map[oracle.Key][]link{}
	for number := range s.b.topics.Tasks {
		c.follow(s.told[number], links)
	}
	if s.b.t.Failed() {
		return
	}
	for key := range c.keys() {
		if c.own[key.User] {
			c.checkOwn(key, links[key])
		}
	}
}

// chains are what changes may be.
type chains struct {
	b           *bubble
	generations []generationSays
	own         map[string]bool // users whose impressions all lie in their task's partition of one source
}

// generations reads which ones tasks ever went over to, from the control topic.
func (b *bubble) generations() []generationSays {
	b.t.Helper()
	all := []generationSays{{oracle: bubbleDefinitions(), says: map[oracle.Key][]saying{}}}
	for _, r := range slices.Concat(b.read(b.topics.Control)...) {
		d, ok, err := schemas.ParseDefinitions(r.Key, r.Value)
		switch at := time.UnixMilli(d.Changed); {
		case err != nil:
			b.t.Fatal(err)
		case ok && d.State == schemas.DefinitionsSwitching:
			all = append(all, generationSays{number: d.Generation, oracle: b.variant(d.Hash).oracle, switching: at, says: map[oracle.Key][]saying{}})
		case ok && d.State == schemas.DefinitionsInForce:
			all[len(all)-1].inForce = at
		}
	}
	return all
}

// variant returns the definitions of a hash.
func (b *bubble) variant(hash string) someDefinitions {
	b.t.Helper()
	for _, v := range variants {
		_, of, err := config.Definitions(b.parsed(v))
		if err != nil {
			b.t.Fatal(err)
		}
		if of == hash {
			return v
		}
	}
	b.t.Fatalf("nobody has defined %s", hash)
	return someDefinitions{}
}

// keys are the traits that any generation knows of.
func (c *chains) keys() map[oracle.Key]bool {
	all := map[oracle.Key]bool{}
	for _, g := range c.generations {
		for key := range g.says {
			all[key] = true
		}
	}
	return all
}

// readSources has all generations read all impressions.
func (c *chains) readSources() {
	c.b.t.Helper()
	homes := map[string]partition{}
	for _, src := range bubbleSources() {
		for n, records := range c.b.read(c.b.topics.Sources[src.Topic]) {
			at := partition{src.Topic, int32(n)}
			for _, r := range records {
				rec := oracle.Record{Topic: at.topic, Partition: at.number, Offset: r.Offset, Timestamp: timestamp(r), Value: r.Value}
				for _, g := range c.generations {
					all, _ := oracle.Look(src, g.oracle, 10*time.Minute, rec)
					for _, s := range all {
						g.says[s.Key] = append(g.says[s.Key], saying{s, rec.Timestamp})
					}
				}
				all, _ := oracle.Look(src, bubbleDefinitions(), 10*time.Minute, rec)
				for _, s := range all {
					if home, known := homes[s.Key.User]; !known {
						homes[s.Key.User] = at
						c.own[s.Key.User] = at.number == kafka.Partition([]byte(s.Key.User), c.b.topics.Tasks)
					} else if home != at {
						c.own[s.Key.User] = false
					}
				}
			}
		}
	}
}

// follow finds out what the changes of a task come of.
func (c *chains) follow(records []received, links map[oracle.Key][]link) {
	c.b.t.Helper()
	least := 0
	for _, r := range records {
		if header(r.Record, schemas.HeaderReplay) != nil {
			continue // it is held against the one before elsewhere
		}
		k, err := schemas.DecodeKey(r.Key)
		if err != nil {
			c.b.t.Fatal(err)
		}
		key := oracle.Key{Identity: k.Identity.String(), User: string(k.User), Trait: string(k.Trait)}
		before, i := links[key], least
		for ; i < len(c.generations); i++ {
			if l, ok := c.link(i, key, before, r); ok && c.mayBe(i, r) {
				links[key] = append(before, l)
				least = max(least, l.generation)
				break
			}
		}
		if i == len(c.generations) {
			c.b.t.Errorf("%s\nfollows %v, with generation %d in use: no impression makes such a change by definitions that are or come into force",
				line(r.Record), values(before), c.generations[least].number)
			return
		}
	}
}

// mayBe tells whether a task may have been computed by a generation when a change was
// made.
func (c *chains) mayBe(i int, r received) bool {
	if i+1 < len(c.generations) {
		if next := c.generations[i+1].inForce; !next.IsZero() && next.Before(r.after) {
			return false
		}
	}
	return !c.generations[i].switching.After(r.before)
}

// link tells what a change comes of by a generation, if it does.
func (c *chains) link(i int, key oracle.Key, before []link, r received) (l link, ok bool) {
	g, last, highest := &c.generations[i], link{}, saying{}
	for _, b := range before {
		if last = b; b.generation == i {
			highest = b.of
		}
	}
	for _, s := range g.says[key] {
		if s.Source.Offset >= r.ends[partition{s.Source.Topic, s.Source.Partition}] || s.Value == last.value || s.Compare(highest.Sighting) <= 0 {
			continue // it had not come, or is no change
		}
		s.Previous = last.value
		want, id := changeRecord(c.b.cfg.App, s.Change, last.id, g.number)
		want.Timestamp = time.UnixMilli(s.timestamp)
		l := link{received: r, value: s.Value, id: id, generation: i, of: s}
		if s.Value == "" { // others say the same
			want.Timestamp, l.generation, l.reason = r.Timestamp, -1, "not_served"
		}
		if line(r.Record) == line(want) {
			return l, true
		}
	}
	if last.value == "" || last.generation >= i {
		return link{}, false
	}
	e := trait.Emission{Sent: true, Reason: trait.DefinitionRemoved, Removes: last.id}
	want, id := emissionRecord(c.b.cfg.App, key, &e)
	want.Timestamp = r.Timestamp
	return link{received: r, reason: e.Reason, id: id, generation: -1}, line(r.Record) == line(want)
}

// checkOwn checks that the changes of a trait are those that a walk through the
// impressions of its user makes, from one generation to the next at some places.
func (c *chains) checkOwn(key oracle.Key, links []link) {
	w := walk{links: links, failed: map[[3]int]bool{}}
	for _, g := range c.generations {
		for _, s := range g.says[key] {
			w.places = append(w.places, s.Source)
		}
	}
	slices.SortFunc(w.places, comparePlaces)
	w.places = slices.Compact(w.places)
	for _, g := range c.generations {
		latest, says := []saying{{}}, g.says[key]
		for _, place := range w.places {
			most := latest[len(latest)-1]
			if len(says) > 0 && says[0].Source == place {
				if says[0].Compare(most.Sighting) > 0 {
					most = says[0]
				}
				says = says[1:]
			}
			latest = append(latest, most)
		}
		w.latest = append(w.latest, latest)
	}
	if w.from(0, 0, 0) {
		return
	}
	var text strings.Builder
	for i, g := range c.generations {
		fmt.Fprintf(&text, "\nby generation %d", g.number)
		for _, s := range w.latest[i] {
			fmt.Fprintf(&text, " %q", s.Value)
		}
	}
	c.b.t.Errorf("%s has the changes %v, which no way through these makes:%s", key.JSON(), values(links), text.String())
}

func comparePlaces(a, b oracle.Place) int {
	return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Index, b.Index))
}

// walk goes through the impressions of a user, all of one partition.
type walk struct {
	places []oracle.Place
	latest [][]saying // of each generation, the greatest of what lies before each place, and of all
	links  []link
	failed map[[3]int]bool
}

// from tells whether links from the nth on are what a walk makes that is before a place,
// computed by a generation.
func (w *walk) from(generation, at, n int) bool {
	now := [3]int{generation, at, n}
	if w.failed[now] {
		return false
	}
	if generation == len(w.latest)-1 && at == len(w.places) && n == len(w.links) {
		return true
	}
	if at < len(w.places) {
		if after, ok := w.step(generation, at, generation, at+1, n); ok && w.from(generation, at+1, after) {
			return true
		}
	}
	// What comes before the trait's turn is not computed by the old ones any more.
	for to := at; generation+1 < len(w.latest) && to <= len(w.places); to++ {
		if after, ok := w.step(generation, at, generation+1, to, n); ok && w.from(generation+1, to, after) {
			return true
		}
	}
	w.failed[now] = true
	return false
}

// step tells how many links there are after a step, if the next one is what it makes.
func (w *walk) step(generation, at, nextGeneration, to, n int) (after int, ok bool) {
	was, is := w.latest[generation][at], w.latest[nextGeneration][to]
	if was.Value == is.Value {
		return n, true
	}
	if n == len(w.links) || w.links[n].value != is.Value {
		return n, false
	}
	switch l := &w.links[n]; {
	case l.value != "" && generation == nextGeneration:
		ok = l.generation == generation && l.of.Source == w.places[at]
	case l.value != "": // of several that say so it is the first that came
		ok = l.generation == nextGeneration && to > 0 && comparePlaces(l.of.Source, w.places[to-1]) <= 0
	case is.Source.Topic == "":
		ok = l.reason == trait.DefinitionRemoved
	default:
		ok = l.reason == "not_served"
	}
	return n + 1, ok
}

func values(links []link) (all []string) {
	for _, l := range links {
		all = append(all, l.value)
	}
	return all
}

package trait

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
)

// TestMemo holds a matcher that remembers against one that does not, and what
// Environments say of their matches, in streams whose facts come again. The
// matches of a batch are compared at its end, when the impressions' bytes are
// others.
func TestMemo(t *testing.T) {
	sets := []*Set{
		set(t, Definition{Name: name(t, "{split}")}),
		set(t, Definition{Name: name(t, "{split}_{environmentName}")}, Definition{Name: name(t, "x{split}_{environmentId}"), Event: "seen"}),
		set(t, Definition{Name: name(t, "x"), Where: []Condition{condition(t, "label", "exists", "true")}},
			Definition{Name: name(t, "y"), Where: []Condition{condition(t, "environmentId", "not_exists", "true")}, NotServed: Clear},
			Definition{Name: name(t, "{split}"), Where: []Condition{condition(t, "treatment", "equals", "b")}, NotServed: Store}),
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(sets).Draw(t, "set")
		p := &pair{m: s.NewMatcher(), plain: s.NewMatcher()}
		p.plain.memo = nil
		if rapid.Bool().Draw(t, "crowded") {
			p.m.memo.entries = p.m.memo.entries[:2]
		}
		for i := range p.known {
			p.known[i], p.all[i] = NewEnvironments(), NewEnvironments()
		}
		for range rapid.IntRange(1, 5).Draw(t, "batches") {
			p.batch(t)
		}
	})
}

// pair is a matcher that remembers and one that does not, with two Environments
// each that are told of their matches.
type pair struct {
	m, plain   *Matcher
	known, all [2]*Environments
	drawn      [][6]string // facts of impressions
}

func (p *pair) batch(t *rapid.T) {
	var got, want []Match
	for range rapid.IntRange(1, 30).Draw(t, "impressions") {
		imp := p.impression(t)
		before := len(got)
		var one, other Verdict
		got, one = p.m.Match(got, imp)
		want, other = p.plain.Match(want, imp)
		if one != other || len(got) != len(want) {
			t.Fatalf("%+v: verdict %d and %d matches, want %d and %d", imp, one, len(got), other, len(want))
		}
		for i := before; i < len(got); i++ {
			n := rapid.IntRange(0, 1).Draw(t, "environments")
			if told, wanted := p.known[n].Saw(&got[i], imp), p.all[n].Saw(&want[i], imp); told != wanted {
				t.Fatalf("%+v: environments say %q, want %q", imp, told, wanted)
			}
		}
		for _, b := range [][]byte{imp.Flag, imp.Treatment, imp.Label, imp.EnvironmentName, imp.EnvironmentID} {
			copy(b, "bbbbbbbbbb")
		}
	}
	for i := range got {
		if (got[i].Value == nil) != (want[i].Value == nil) {
			t.Fatalf("match %d: value %q, want %q", i, got[i].Value, want[i].Value)
		}
	}
	if found(got) != found(want) {
		t.Fatalf("%s, want %s", found(got), found(want))
	}
	p.m.Reset()
	p.plain.Reset()
}

// impression draws one that has most facts of one before.
func (p *pair) impression(t *rapid.T) *impression.Impression {
	if len(p.drawn) == 0 {
		p.drawn = append(p.drawn, [6]string{"a", "a", "a", "a", "a", "get_treatment"})
	}
	facts := rapid.SampledFrom(p.drawn).Draw(t, "like")
	if rapid.Bool().Draw(t, "other") {
		others := []string{"absent", "a", "b", "control", "not ready", "seen", ""}
		place := rapid.IntRange(0, len(facts)-1).Draw(t, "place")
		if place == 3 || place == 4 {
			others = others[:len(others)-1] // decoders give no empty ones, and Environments rely on it
		}
		facts[place] = rapid.SampledFrom(others).Draw(t, "fact")
	}
	p.drawn = append(p.drawn, facts)
	fact := func(i int) []byte {
		if facts[i] == "absent" {
			return nil
		}
		return []byte(facts[i])
	}
	return &impression.Impression{
		Flag: fact(0), Treatment: fact(1), Label: fact(2), EnvironmentName: fact(3), EnvironmentID: fact(4), Event: fact(5),
	}
}

// TestMemoIsUsed tells which definitions can be remembered, and that what is
// remembered costs no allocation.
func TestMemoIsUsed(t *testing.T) {
	for _, test := range []struct {
		property string
		want     bool
	}{
		{"label", true}, {"split", true}, {"environmentId", true},
		{"key", false}, {"splitVersionNumber", false}, {"source", false}, {"sdk", false}, {"properties.a", false},
	} {
		d := Definition{Name: name(t, "{split}"), Any: [][]Condition{{condition(t, test.property, "not_exists", "true")}}}
		if got := set(t, d).NewMatcher().memo != nil; got != test.want {
			t.Errorf("%s: remembered %t", test.property, got)
		}
	}
	m := set(t, Definition{Name: name(t, "{split}")}).NewMatcher()
	imp := seen()
	matches, _ := m.Match(nil, imp)
	if n := testing.AllocsPerRun(100, func() { matches, _ = m.Match(matches[:0], imp) }); n != 0 || len(matches) != 1 || matches[0].noted == nil {
		t.Errorf("%v allocations, matches %+v", n, matches)
	}
}

// Facts that are interned are the same, absent ones absent, and do not change with
// what they were read from.
func TestIntern(t *testing.T) {
	m := set(t, Definition{Name: name(t, "{split}")}).NewMatcher()
	for range 3 { // the first is not remembered yet
		for _, label := range [][]byte{nil, {}, []byte("l")} {
			imp := &impression.Impression{Flag: []byte("f"), Treatment: []byte("on"), Label: label, EnvironmentID: []byte("id")}
			read := *imp
			matches, _ := m.Match(nil, imp)
			matches[0].Intern(imp)
			if !reflect.DeepEqual(*imp, read) {
				t.Errorf("%+v became %+v", read, imp)
			}
			if matches[0].noted == nil {
				continue
			}
			for _, b := range [][]byte{read.Flag, read.Treatment, read.Label, read.EnvironmentID} {
				copy(b, "xxx")
			}
			if string(imp.Flag) != "f" || string(imp.Treatment) != "on" || string(imp.EnvironmentID) != "id" || len(label) > 0 && string(imp.Label) != "l" {
				t.Errorf("%+v is not interned", imp)
			}
		}
	}
}

// TestMemoIsBounded lets facts go by that never come again.
func TestMemoIsBounded(t *testing.T) {
	m := set(t, Definition{Name: name(t, "{split}")}).NewMatcher()
	for i := range 10_000 {
		m.Match(nil, &impression.Impression{Flag: []byte{byte(i), byte(i >> 8)}, Treatment: []byte("on")})
	}
	learnt := 0
	for _, e := range m.memo.entries {
		if e != nil {
			learnt++
		}
	}
	if learnt == 0 || learnt > maxLearnt {
		t.Errorf("%d memories", learnt)
	}
}

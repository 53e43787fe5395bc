package trait

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
)

// What is kept, what is new and what is gone.
func TestNewChange(t *testing.T) {
	on := []Condition{condition(t, "treatment", "equals", "on")}
	flag := func(names ...string) []Condition { return []Condition{condition(t, "split", "one_of", names...)} }
	for name, test := range map[string]struct {
		old, next []Definition
		kept      string // texts of names
		fresh     string
	}{
		"the same":           {[]Definition{{Name: name(t, "{split}")}}, []Definition{{Name: name(t, "{split}"), Description: "now told"}}, "[{split}]", "[]"},
		"one more":           {[]Definition{{Name: name(t, "{split}")}}, []Definition{{Name: name(t, "{split}")}, {Name: name(t, "x")}}, "[{split}]", "[x]"},
		"one changes":        {[]Definition{{Name: name(t, "{split}")}}, []Definition{{Name: name(t, "{split}"), Where: on}}, "[]", "[{split}]"},
		"one goes":           {[]Definition{{Name: name(t, "a")}, {Name: name(t, "b")}}, []Definition{{Name: name(t, "b")}}, "[b]", "[]"},
		"it fed one of kept": {[]Definition{{Name: name(t, "{split}"), Where: flag("plan")}, {Name: name(t, "plan")}}, []Definition{{Name: name(t, "plan")}}, "[]", "[plan]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewChange(set(t, test.old...), set(t, test.next...))
			names := func(rules []rule) string {
				all := []string{}
				for i := range rules {
					all = append(all, rules[i].Name.text)
				}
				return fmt.Sprint(all)
			}
			if kept, fresh := names(c.kept), names(c.New.rules); kept != test.kept || fresh != test.fresh {
				t.Errorf("kept are %s, new %s; want %s and %s", kept, fresh, test.kept, test.fresh)
			}
		})
	}
}

// Both yields what the old set yields, and apart from that what the new ones do.
func TestChangeBoth(t *testing.T) {
	old := set(t, Definition{Name: name(t, "{split}")})
	next := set(t, Definition{Name: name(t, "{split}"), Where: []Condition{condition(t, "treatment", "equals", "on")}}, Definition{Name: name(t, "x")})
	c := NewChange(old, next)
	for _, treatment := range []string{"on", "off", "control"} {
		imp := &impression.Impression{Flag: []byte("f"), Treatment: []byte(treatment), User: []byte("u")}
		want, verdict := old.NewMatcher().Match(nil, imp)
		got, both := c.Both.NewMatcher().Match(nil, imp)
		fresh, _ := c.New.NewMatcher().Match(nil, imp)
		if both != verdict || len(got) != len(want)+len(fresh) {
			t.Fatalf("%s: %v of %d and %d, want %v of %d", treatment, both, len(got), len(fresh), verdict, len(want))
		}
		for i, m := range got {
			if m.New != (i >= len(want)) {
				t.Errorf("%s: match %d is new: %v", treatment, i, m.New)
			}
		}
	}
}

func TestShadow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name, generation := rapid.String().Draw(t, "name"), rapid.Uint32().Draw(t, "generation")
		got, of, ok := Unshadow(Shadow(generation, []byte(name)))
		if !ok || string(got) != name || of != generation {
			t.Fatalf("%q of %d came back as %q of %d", name, generation, got, of)
		}
		if got, _, ok := Unshadow([]byte(name)); ok || string(got) != name {
			t.Fatalf("%q is taken for a shadow", name)
		}
	})
}

// What takes a register's place goes out where the value differs, and follows from the
// one before.
func TestReplace(t *testing.T) {
	k := Key{Identity: impression.User, User: []byte("u"), Trait: []byte("f")}
	seen := func(at int64, value string) (Register, Facts) {
		r := Register{SeenAt: at, Treatment: []byte(value), Value: AppendJSONString(nil, []byte(value))}
		if value == "control" {
			r.Value = nil
		}
		return r, Facts{Flag: []byte("f"), Place: Place{Topic: "t", Offset: at}}
	}
	for _, test := range []struct {
		before, beside string
		want           Outcome
	}{{"on", "off", Changed}, {"on", "on", Same}, {"", "on", Changed}, {"on", "control", Removed}, {"", "control", Same}, {"control", "control", Same}} {
		var rec, shadow Record
		if test.before != "" {
			r, f := seen(5, test.before)
			rec.Merge("app", k, r, f, 0)
		}
		r, f := seen(3, test.beside)
		shadow.Merge("app", k, r, f, 1)
		last := rec.Emitted
		if got := rec.Replace("app", k, &shadow, 1); got != test.want || rec.Seen.SeenAt != 3 {
			t.Errorf("%+v: %v, seen %+v", test, got, rec.Seen)
		}
		if e := rec.Emitted; test.want != Same && (string(e.Previous) != string(last.Value) || e.Generation != 1 || e.SeenAt != 3 ||
			test.want == Removed && e.Removes != ChangeID("app", k, &last)) {
			t.Errorf("%+v: %+v", test, e)
		}
	}
}

package verify

import (
	"fmt"
	"testing"
)

// While a group is between two offsets, a trait may say what lies before, or
// something between that is greater; nothing else.
func TestFlux(t *testing.T) {
	for _, c := range []struct {
		corruption string
		certain    int // how many of its three impressions are merged for certain
		want       []Kind
	}{
		{"", 2, nil},
		{"", 1, nil},
		{"", 0, nil},
		{"a time changed in the changelog", 0, []Kind{WrongChangelog}},
		{"a removal in the traits topic", 1, []Kind{WrongTopic}},
		{"a removal in the traits topic", 0, nil},
		{"an older impression that has won", 2, []Kind{WrongTrait}},
		{"an older impression that has won", 1, nil},
		{"an older impression that has won", 0, nil},
	} {
		t.Run(fmt.Sprintf("%s at %d", c.corruption, c.certain), func(t *testing.T) {
			w := newWorld(t, "", 3)
			w.fill()
			if c.corruption != "" {
				wrong[c.corruption].do(w)
			}
			v := newVerifier(Options{Config: w.cfg, Topics: w.topics, Client: w.client})
			p := newPass(v, v.o.Tasks, nil)
			var err error
			p.cut, err = v.cut(w.limit(), p.tasks)
			noError(t, err)
			p.cut.inputs[partition{"impressions", w.task()}].base = w.offsets("u3", "f")[c.certain]
			noError(t, p.compare(w.limit()))
			var found []Kind
			for _, d := range p.differences {
				found = append(found, d.Kind)
			}
			if fmt.Sprint(found) != fmt.Sprint(c.want) || len(found) == 0 && p.inFlux == 0 {
				t.Errorf("found %v with %d in flux, want %v", p.differences, p.inFlux, c.want)
			}
		})
	}
}

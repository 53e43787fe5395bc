package group

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParseMember(t *testing.T) {
	for name, test := range map[string]struct {
		userData string
		want     Member
		ok       bool
	}{
		"whole":             {`{"process":"a1","worker":3,"run":"r","http":"h:8080"}`, Member{"a1", 3, "r", "h:8080"}, true},
		"the least":         {`{"process":"a1"}`, Member{Process: "a1"}, true},
		"a later field":     {`{"process":"a1","worker":1,"zone":{"name":["z"]}}`, Member{Process: "a1", Worker: 1}, true},
		"empty":             {``, Member{}, false},
		"no process":        {`{"worker":1}`, Member{}, false},
		"another's":         {"\x00\x01\x00\x00", Member{}, false},
		"of another type":   {`{"process":1}`, Member{}, false},
		"no object":         {`null`, Member{}, false},
		"with bytes behind": {`{"process":"a1"}x`, Member{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := ParseMember([]byte(test.userData)); got != test.want || ok != test.ok {
				t.Errorf("%q is %+v, %v; want %+v, %v", test.userData, got, ok, test.want, test.ok)
			}
		})
	}
}

// The bytes stand in the metadata of running groups.
func TestMemberUserData(t *testing.T) {
	for want, m := range map[string]Member{
		`{"process":"a1","worker":0}`:                             {Process: "a1"},
		`{"process":"a1","worker":2,"run":"r","http":"[::1]:80"}`: {"a1", 2, "r", "[::1]:80"},
		``: {Worker: 1},
	} {
		if got := string(m.userData()); got != want {
			t.Errorf("%+v says %s, want %s", m, got, want)
		}
	}
}

// A member is read as it was written, and nothing that a stranger says panics.
func TestMemberRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Member{
			Process: rapid.StringN(1, -1, 40).Draw(t, "process"),
			Worker:  rapid.IntRange(0, 1000).Draw(t, "worker"),
			Run:     rapid.String().Draw(t, "run"),
			HTTP:    rapid.String().Draw(t, "http"),
		}
		if got, ok := ParseMember(want.userData()); got != want || !ok {
			t.Fatalf("%+v became %+v, %v", want, got, ok)
		}
		ParseMember(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	})
}

package trait

import "testing"

func TestEnvironments(t *testing.T) {
	e := NewEnvironments()
	saw := func(trait, environment string) (string, string, bool) {
		if environment == "" {
			return e.Saw([]byte(trait), nil)
		}
		return e.Saw([]byte(trait), []byte(environment))
	}
	for _, s := range [][2]string{{"a", "Production"}, {"b", "Staging"}, {"a", "Production"}, {"a", ""}} {
		if _, _, found := saw(s[0], s[1]); found {
			t.Fatalf("%v is no mistake", s)
		}
	}
	if one, other, found := saw("a", "Staging"); !found || one != "Production" || other != "Staging" {
		t.Fatalf("got %s, %s, %v", one, other, found)
	}
	if _, _, found := saw("b", "Production"); found {
		t.Fatal("said twice")
	}
}

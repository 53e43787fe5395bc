package schemas

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestDefinitionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Definitions{
			Generation: rapid.Uint32().Draw(t, "generation"), State: DefinitionsSwitching, Base: 1, Hash: "00",
			Traits: []byte(`[{"name":"{split}"}]`), Reason: rapid.String().Draw(t, "reason"), Created: 2, Changed: 3,
		}
		got, ok, err := ParseDefinitions(want.Key(), want.Value())
		if !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v, %v", want, got, ok, err)
		}
		if !IsDefinitionsJob(want.JobID()) || IsDefinitionsJob("20260302-120000-abcd") {
			t.Fatalf("%s is not told from others", want.JobID())
		}
		task := TaskDefinitions{
			Generation: want.Generation, Phase: Replacing, Next: 4, History: []JobRange{{Topic: "a", From: 1, To: 2}}, Behind: []byte{0, 1},
		}
		if got, err := DecodeTaskDefinitions(AppendTaskDefinitions(nil, &task)); err != nil || !reflect.DeepEqual(got, task) {
			t.Fatalf("%+v came back as %+v, %v", task, got, err)
		}
	})
}

func TestDefinitionsThatAreNone(t *testing.T) {
	d := Definitions{Generation: 1, State: DefinitionsInForce, Traits: []byte("[]")}
	if _, ok, err := ParseDefinitions(ControlKey("rules", "1"), d.Value()); ok || err != nil {
		t.Error("rules are taken for definitions")
	}
	for _, value := range []string{
		`{`, `{"generation":2,"state":"in_force","traits":[]}`, `{"generation":1,"state":"x","traits":[]}`, `{"generation":1,"state":"in_force"}`,
	} {
		if _, ok, err := ParseDefinitions(d.Key(), []byte(value)); !ok || err == nil {
			t.Errorf("%s is taken for definitions", value)
		}
	}
	for _, value := range [][]byte{nil, {0}, {taskRecordVersion, '['}, append([]byte{taskRecordVersion}, `{"phase":"x"}`...), {taskRecordVersion + 1, '{', '}'}} {
		if _, err := DecodeTaskDefinitions(value); err == nil {
			t.Errorf("%x is taken for a task's definitions", value)
		}
	}
}

package schemas

import (
	"reflect"
	"testing"
)

func TestReplayMark(t *testing.T) {
	want := ReplayMark{TopicID: "x3y", Partition: 2, Offsets: [][2]int64{{0, 4}, {7, 7}}}
	if got := string(want.Key()); got != `{"kind":"replayed","name":"2:0"}` {
		t.Errorf("the key is %s", got)
	}
	if got := string(want.Value()); got != `{"topic_id":"x3y","partition":2,"offsets":[[0,4],[7,7]]}` {
		t.Errorf("the value is %s", got)
	}
	if got, ok, err := ParseReplayMark(want.Key(), want.Value()); !ok || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it comes back as %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := ParseReplayMark(ControlKey("rules", "ab"), []byte("{")); ok || err != nil {
		t.Errorf("another kind is %v, %v", ok, err)
	}
	for _, value := range []string{"", "{}", `{"offsets":[[3,2]]}`, `{"offsets":[[0,4],[4,5]]}`, `{"partition":-1,"offsets":[[0,0]]}`, `{"offsets":[[-1,0]]}`} {
		if _, ok, err := ParseReplayMark(want.Key(), []byte(value)); !ok || err == nil {
			t.Errorf("%s is taken: %v, %v", value, ok, err)
		}
	}
}

// What is read comes back, and its offsets are in order.
func FuzzParseReplayMark(f *testing.F) {
	m := ReplayMark{Partition: 2, Offsets: [][2]int64{{0, 4}, {7, 7}}}
	f.Add(m.Key(), m.Value())
	f.Add([]byte(`{"kind":"rules"}`), []byte("{"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m, ok, err := ParseReplayMark(key, value)
		if !ok || err != nil {
			return
		}
		last := int64(-1)
		for _, run := range m.Offsets {
			if run[0] <= last || run[1] < run[0] {
				t.Fatalf("%v", m.Offsets)
			}
			last = run[1]
		}
		if again, ok, err := ParseReplayMark(m.Key(), m.Value()); !ok || err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v comes back as %+v, %v, %v", m, again, ok, err)
		}
	})
}

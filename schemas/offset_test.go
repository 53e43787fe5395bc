package schemas

import (
	"testing"

	"pgregory.net/rapid"
)

func TestOffsetNote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := OffsetNote{
			Owner: rapid.StringN(1, 40, -1).Draw(t, "owner"),
			Topic: rapid.String().Draw(t, "topic"),
			Start: rapid.Int64Min(-1).Draw(t, "start"),
		}
		if got, ok := ParseOffsetNote(n.String()); !ok || got != n {
			t.Fatalf("%q reads as %+v, %v", n, got, ok)
		}
	})
}

// What others write beside their offsets is no note of ours.
func TestOffsetNoteOfOthers(t *testing.T) {
	for _, metadata := range []string{"", "x", "{}", "[]", `{"owner":1}`, `{"topic":"x","start":3}`} {
		if n, ok := ParseOffsetNote(metadata); ok || n.Start != -1 {
			t.Errorf("%q reads as %+v", metadata, n)
		}
	}
	if n, ok := ParseOffsetNote(`{"owner":"a-1","start":-5,"later":true}`); !ok || n.Start != -1 {
		t.Errorf("a negative start reads as %+v, %v", n, ok)
	}
}

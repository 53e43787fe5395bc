package schemas

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What is moved is what would be encoded anew.
func TestAppendMoved(t *testing.T) {
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		r := records().Draw(t, "record")
		if r.Emitted.Sent && rapid.Bool().Draw(t, "of what was sent last") {
			r.Emitted.Value = r.Seen.Value
		}
		b := AppendRecord(nil, &r)
		last, known := LastSeen(b)
		if known && (!bytes.Equal(last.Treatment, r.Seen.Treatment) || !bytes.Equal(last.Value, r.Seen.Value) ||
			last.SeenAt != r.Seen.SeenAt || last.Version != r.Seen.Version) {
			t.Fatalf("%+v, want %+v", last, r.Seen)
		}
		r.Seen.SeenAt, r.Seen.Version = rapid.Int64().Draw(t, "seen at"), rapid.Int64().Draw(t, "version")
		got, ok := AppendMoved([]byte("before"), b, r.Seen.SeenAt, r.Seen.Version)
		if ok != known {
			t.Fatalf("%v, but LastSeen %v", ok, known)
		}
		if want := AppendRecord([]byte("before"), &r); ok && !bytes.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if ok {
			moved++
		}
	})
	if moved == 0 {
		t.Error("no record was moved")
	}
}

// Damage is refused or moved, but nothing ends the process.
func FuzzAppendMoved(f *testing.F) {
	_, plain := example()
	f.Add(AppendRecord(nil, &plain), int64(1), int64(2))
	f.Fuzz(func(_ *testing.T, b []byte, seenAt, version int64) {
		AppendMoved(nil, b, seenAt, version)
	})
}

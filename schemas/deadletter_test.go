package schemas

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

// What a dead letter says comes back, and so do its source record's own headers,
// also where that was a dead letter itself and where a mirror has added one.
func TestDeadLetterRoundTrip(t *testing.T) {
	word := rapid.StringMatching("[a-z_]{1,12}")
	rapid.Check(t, func(t *rapid.T) {
		want := DeadLetter{
			Place: trait.Place{
				Topic: word.Draw(t, "topic"), Offset: rapid.Int64Min(-1).Draw(t, "offset"),
				Index: rapid.Int32Min(-1).Draw(t, "index"), Timestamp: rapid.Int64Min(-1).Draw(t, "timestamp"),
			},
			Stage: word.Draw(t, "stage"), Reason: word.Draw(t, "reason"), Message: rapid.String().Draw(t, "message"),
			Truncated: rapid.Bool().Draw(t, "truncated"),
		}
		if want.Place.Offset >= 0 {
			want.Place.Partition = rapid.Int32Min(0).Draw(t, "partition")
		}
		if rapid.Bool().Draw(t, "of a file") {
			want.File, want.Line = word.Draw(t, "file"), rapid.IntMin(1).Draw(t, "line")
		}
		other := DeadLetter{Place: trait.Place{Topic: "before", Offset: 1, Index: 2, Timestamp: 3}, File: "f", Line: 4, Truncated: true}
		own := append([]Header{{Key: "trace", Value: []byte("x")}}, other.Headers()...)
		added := Header{Key: "mirror", Value: []byte("m")}
		got, back, ok := ParseDeadLetter(append(append(own[:len(own):len(own)], want.Headers()...), added))
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, ok)
		}
		if !reflect.DeepEqual(back, append(own, added)) {
			t.Fatalf("the own headers are %s", lines(back))
		}
	})
}

func TestParseDeadLetterOfSomethingElse(t *testing.T) {
	headers := []Header{{Key: "trace"}, {Key: HeaderErrorReason, Value: []byte("malformed")}}
	if d, own, ok := ParseDeadLetter(headers); ok || len(own) != 2 || d.Reason != "" {
		t.Errorf("%+v, %v, %v", d, own, ok)
	}
}

// Whatever the headers hold, a place is whole or none.
func FuzzParseDeadLetter(f *testing.F) {
	f.Add("impressions", "3", "42", "0", "1772446800000", "7")
	f.Add("", "-1", "x", "2147483648", "", "99999999999999999999")
	f.Fuzz(func(t *testing.T, topic, partition, offset, index, timestamp, line string) {
		d, _, ok := ParseDeadLetter([]Header{
			text(HeaderErrorTopic, topic), text(HeaderErrorPartition, partition), text(HeaderErrorOffset, offset),
			text(HeaderErrorIndex, index), text(HeaderErrorTimestamp, timestamp), text(HeaderErrorLine, line),
		})
		p := d.Place
		if !ok || p.Partition < 0 || p.Offset < -1 || p.Index < -1 || p.Timestamp < -1 || d.Line < 0 || p.Offset < 0 && p.Partition != 0 {
			t.Errorf("%+v", d)
		}
	})
}

package schemas

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

// lines writes headers as text.
func lines(headers []Header) (out string) {
	for _, h := range headers {
		out += fmt.Sprintf("%s=%s\n", h.Key, h.Value)
	}
	return out
}

func TestChangeHeaders(t *testing.T) {
	id := [16]byte{0x5e, 0x0c}
	set := trait.Emission{Sent: true, Value: []byte("1")}
	want := "traitstream.change_id=5e0c0000000000000000000000000000\ntraitstream.app=shop\n"
	if got := lines(ChangeHeaders("shop", &set, id)); got != want {
		t.Errorf("a change has\n%s", got)
	}
	removal := trait.Emission{Sent: true, Reason: "not_served"}
	if got := lines(ChangeHeaders("shop", &removal, id)); got != want+"traitstream.reason=not_served\n" {
		t.Errorf("a removal has\n%s", got)
	}
}

func TestDeadLetterHeaders(t *testing.T) {
	full := DeadLetter{
		Place: trait.Place{Topic: "impressions", Partition: 3, Offset: 42, Index: 0, Timestamp: 1772446800000},
		File:  "a.jsonl", Line: 7, Stage: "decode", Reason: "malformed", Message: "not JSON", Truncated: true,
	}
	want := `__traitstream.errors.topic=impressions
__traitstream.errors.partition=3
__traitstream.errors.offset=42
__traitstream.errors.index=0
__traitstream.errors.timestamp=1772446800000
__traitstream.errors.file=a.jsonl
__traitstream.errors.line=7
__traitstream.errors.stage=decode
__traitstream.errors.reason=malformed
__traitstream.errors.message=not JSON
__traitstream.errors.truncated=true
`
	if got := lines(full.Headers()); got != want {
		t.Errorf("all headers:\n%s", got)
	}
	least := DeadLetter{Place: trait.Place{Topic: "t", Offset: -1, Index: -1, Timestamp: -1}, Stage: "admit", Reason: "clock_ahead"}
	want = "__traitstream.errors.topic=t\n__traitstream.errors.stage=admit\n" +
		"__traitstream.errors.reason=clock_ahead\n__traitstream.errors.message=\n"
	if got := lines(least.Headers()); got != want {
		t.Errorf("the least headers:\n%s", got)
	}
}

func TestInboxHeadersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := trait.Place{
			Topic:     rapid.StringMatching("[a-zA-Z0-9._-]{1,20}").Draw(t, "topic"),
			Partition: rapid.Int32Min(0).Draw(t, "partition"),
			Offset:    rapid.Int64Min(0).Draw(t, "offset"),
			Index:     rapid.Int32Min(-1).Draw(t, "index"),
			Timestamp: rapid.Int64Min(-1).Draw(t, "timestamp"),
		}
		// The source record may have headers of the same names.
		foreign := InboxHeaders(trait.Place{Topic: "other", Partition: 7, Offset: 8, Index: 9, Timestamp: 10})
		headers := append(rapid.Permutation(foreign).Draw(t, "foreign"), InboxHeaders(want)...)
		headers = append(headers, Header{Key: "trace", Value: []byte("x")})
		if got, err := ParseInboxHeaders(headers); err != nil || got != want {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func TestIsInboxHeader(t *testing.T) {
	for _, h := range InboxHeaders(trait.Place{Topic: "t", Index: 1, Timestamp: 1}) {
		if !IsInboxHeader(h.Key) {
			t.Errorf("%s is none", h.Key)
		}
	}
	if IsInboxHeader(HeaderApp) || IsInboxHeader("trace") {
		t.Error("every header is one of the inbox")
	}
}

func TestInboxHeaderErrors(t *testing.T) {
	place := trait.Place{Topic: "t", Partition: 1, Offset: 2, Index: 3, Timestamp: 4}
	with := func(key, value string) []Header {
		var headers []Header
		for _, h := range InboxHeaders(place) {
			if h.Key == key {
				h.Value = []byte(value)
			}
			headers = append(headers, h)
		}
		return headers
	}
	for _, test := range []struct {
		headers []Header
		want    string
	}{
		{nil, "no header traitstream.kind"},
		{with("traitstream.kind", "forget"), `kind "forget", which a newer release of traitstream wrote`},
		{with("traitstream.source.topic", ""), "lacks its source's topic"},
		{with("traitstream.source.partition", "2147483648"), "reading inbox header traitstream.source.partition"},
		{with("traitstream.source.offset", "-1"), "reading inbox header traitstream.source.offset"},
		{with("traitstream.source.index", ""), "reading inbox header traitstream.source.index"},
		{with("traitstream.source.timestamp", "1.5"), "reading inbox header traitstream.source.timestamp"},
		{InboxHeaders(place)[:2], "partition or offset"},
		{InboxHeaders(place)[:3], "partition or offset"},
	} {
		if p, err := ParseInboxHeaders(test.headers); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, error %v, want one with %q", lines(test.headers), p, err, test.want)
		}
	}
}

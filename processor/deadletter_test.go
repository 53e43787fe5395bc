package processor

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// letters returns the dead letters, each as "reason index value", and their
// headers by the same order.
func (w *world) letters() (texts []string, headers []map[string]string) {
	w.t.Helper()
	for _, records := range w.read(w.topics.DeadLetters) {
		for _, r := range records {
			h := map[string]string{}
			for _, header := range r.Headers {
				h[strings.TrimPrefix(header.Key, "__traitstream.errors.")] = string(header.Value)
			}
			texts = append(texts, fmt.Sprintf("%s %s %.40s", h["reason"], h["index"], r.Value))
			headers = append(headers, h)
		}
	}
	return texts, headers
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t, "", 1)
	late := w.webhook("u", "f", "on", 0)
	late.Timestamp = time.UnixMilli(noon - 600_001)
	edge := w.webhook("edge", "f", "on", 0)
	edge.Timestamp = time.UnixMilli(noon - 600_000)
	array := &kgo.Record{Topic: "impressions", Key: []byte("k"), Timestamp: time.UnixMilli(noon),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("t7")}},
		Value:   fmt.Appendf(nil, `[{"key":"a","split":"f","treatment":"on","time":%d},7,{"key":"b","split":"f","time":%d}]`, noon, noon)}
	w.put(late, edge, array, &kgo.Record{Topic: "impressions", Value: []byte("{"), Timestamp: time.UnixMilli(noon)},
		&kgo.Record{Topic: "impressions", Key: []byte("gone"), Timestamp: time.UnixMilli(noon)})
	m := w.member("")
	m.drain()
	texts, headers := w.letters()
	want := []string{
		"clock_ahead  " + string(late.Value[:40]),
		"unknown_shape 1 7",
		`missing_treatment 2 {"key":"b","split":"f","time":1772452800`,
		"malformed  {",
		"malformed  ",
	}
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Fatalf("dead letters are\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
	if headers[0]["stage"] != "admit" || headers[1]["stage"] != "decode" || headers[2]["trace"] != "t7" ||
		headers[2]["topic"] != "impressions" || headers[2]["partition"] != "0" || headers[2]["offset"] != "2" ||
		headers[2]["timestamp"] != fmt.Sprint(noon) {
		t.Errorf("headers are %v", headers)
	}
	if n := m.impressions("impressions", "dead_letter"); n != 5 {
		t.Errorf("%d dead letters are counted, want 5", n)
	}
	if got := w.changes(); len(got) != 2 || got["user/edge/f"] == nil || got["user/a/f"] == nil {
		t.Errorf("changes are %v, want those of edge and a", got)
	}
}

// Junk as large as a source takes becomes a dead letter with all its bytes.
func TestLargeJunk(t *testing.T) {
	w := newWorld(t, "", 1)
	junk := bytes.Repeat([]byte("x"), 1<<20-200)
	w.put(&kgo.Record{Topic: "impressions", Value: junk, Timestamp: time.UnixMilli(noon)})
	w.member("").drain()
	letters := w.read(w.topics.DeadLetters)[0]
	if len(letters) != 1 || !bytes.Equal(letters[0].Value, junk) {
		t.Fatalf("there are %d dead letters, want the junk", len(letters))
	}
}

// A change that the traits topic refuses by its size is a dead letter, and the
// trait stays as it was.
func TestChangeTooLarge(t *testing.T) {
	w := newWorld(t, "output: {config: {max.message.bytes: 20000}}", 1)
	huge := strings.Repeat("t", 30_000)
	w.put(w.webhook("u", "f", "on", 0), w.webhook("u", "f", huge, 1), w.webhook("u", "f", "off", 2))
	m := w.member("")
	m.drain()
	texts, headers := w.letters()
	if len(texts) != 1 || headers[0]["reason"] != "too_large" || headers[0]["stage"] != "emit" {
		t.Fatalf("dead letters are %v", headers)
	}
	if got := w.changes()["user/u/f"]; len(got) != 2 || got[1] != `"off"` {
		t.Errorf("the changes are %v, want on and off", got)
	}
	if c, d := m.impressions("impressions", "change"), m.impressions("impressions", "dead_letter"); c != 2 || d != 1 {
		t.Errorf("%d changes and %d dead letters are counted, want 2 and 1", c, d)
	}
}

// What something else writes to the inbox is refused; a user who belongs to
// another task is sent there.
func TestForeignInbox(t *testing.T) {
	w := newWorld(t, "", 2)
	w.put(&kgo.Record{Topic: w.topics.Inbox.Name, Value: []byte("hello"), Timestamp: time.UnixMilli(noon)})
	w.member("").drain()
	if texts, _ := w.letters(); len(texts) != 1 || texts[0] != "malformed  hello" {
		t.Fatalf("dead letters are %v", texts)
	}
}

// What it says of itself in the inbox may be as large as a record can be.
func TestForeignInboxWithALargeHeader(t *testing.T) {
	w := newWorld(t, "", 1)
	w.put(&kgo.Record{Topic: w.topics.Inbox.Name, Value: bytes.Repeat([]byte("v"), 113_900), Timestamp: time.UnixMilli(noon), Headers: []kgo.RecordHeader{
		{Key: "traitstream.kind", Value: []byte("impression")},
		{Key: "traitstream.source.offset", Value: []byte(noise(1_000_000))},
	}})
	w.put(w.webhook("u", "f", "on", 0))
	w.member("").drain()
	if texts, _ := w.letters(); len(texts) != 1 {
		t.Errorf("dead letters are %v", texts)
	}
}

func TestFitDeadLetter(t *testing.T) {
	long := func(n int) []byte { return bytes.Repeat([]byte("v"), n) }
	header := func(n int) []kgo.RecordHeader { return []kgo.RecordHeader{{Key: "h", Value: long(n)}} }
	const limit = 1 << 20
	for _, c := range []struct {
		key, value, headers int
		cut                 bool
	}{
		{10, 100, 10, false}, {10, 900_000, 10, false}, {10, 2 << 20, 10, true},
		{2 << 20, 2 << 20, 10, true}, {10, 10, 2 << 20, true},
	} {
		key, value, headers, cut := fitDeadLetter(long(c.key), long(c.value), header(c.headers), limit)
		if got := size(key, value, headers); got > limit-deadLetterReserve+recordOverhead || cut != c.cut {
			t.Errorf("%+v became %d bytes, cut %v", c, got, cut)
		}
		if !cut && (len(key) != c.key || len(value) != c.value) {
			t.Errorf("%+v was cut without a word", c)
		}
	}
}

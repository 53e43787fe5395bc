package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// recordPrinter prints records, a line each.
type recordPrinter struct {
	out   *bufio.Writer
	json  bool
	plain func(*kgo.Record) *kgo.Record // with what is Avro as JSON; nil: all as it is
}

func (p *recordPrinter) print(r *kgo.Record) error {
	if p.plain != nil {
		r = p.plain(r)
	}
	if p.json {
		_, err := p.out.Write(recordJSON(r, r.Timestamp.UTC()))
		return err
	}
	_, err := p.out.WriteString(recordText(r))
	return err
}

// recordText returns a record as a line for people. Left out are the headers
// that every change has.
func recordText(r *kgo.Record) string {
	at := r.Timestamp.UTC().Format("2006-01-02 15:04:05.000")
	if r.Timestamp.UnixMilli() == noTimestamp {
		at = "no timestamp"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-23s  %-8s  %s  %s", at, fmt.Sprintf("%d:%d", r.Partition, r.Offset), textOf(r.Key), textOf(r.Value))
	for _, h := range r.Headers {
		if h.Key != schemas.HeaderChangeID && h.Key != schemas.HeaderApp {
			fmt.Fprintf(&b, "  %s=%s", printable(h.Key), textOf(h.Value))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// textOf returns bytes for people, JSON without blanks.
func textOf(b []byte) string {
	if b == nil {
		return "null"
	}
	if compact, ok := compactJSON(b); ok {
		b = compact
	}
	if !utf8.Valid(b) {
		quoted := strconv.Quote(string(b))
		return quoted[1 : len(quoted)-1]
	}
	return printable(string(b))
}

// noTimestamp is what a record without one has, in ms since 1970.
const noTimestamp = -1

// recordJSON returns a record as an object on a line; at is its timestamp.
func recordJSON(r *kgo.Record, at time.Time) []byte {
	timestamp := "null"
	if at.UnixMilli() != noTimestamp {
		timestamp = at.Format(`"2006-01-02T15:04:05.000Z07:00"`)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"topic":%s,"partition":%d,"offset":%d,"timestamp":%s,"key":%s,"value":%s,"headers":[`,
		quote(r.Topic), r.Partition, r.Offset, timestamp, jsonOf(r.Key), jsonOf(r.Value))
	for i, h := range r.Headers {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":%s,"value":%s}`, quote(h.Key), stringOf(h.Value))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

// jsonOf returns bytes as JSON: JSON as it is, other text as a string, what is
// no UTF-8 in base64.
func jsonOf(b []byte) string {
	if jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true)) { // of UTF-8 without lone surrogates
		if compact, ok := compactJSON(b); ok {
			return string(compact)
		}
	}
	return stringOf(b)
}

// compactJSON returns what is JSON without blanks, and nothing else changed.
func compactJSON(b []byte) ([]byte, bool) {
	v := jsontext.Value(bytes.Clone(b))
	err := v.Compact(jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true))
	return v, err == nil
}

// stringOf returns bytes as a JSON string, or as base64.
func stringOf(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case utf8.Valid(b):
		return quote(string(b))
	}
	encoded, _ := json.Marshal(map[string][]byte{"base64": b}) // a map of bytes always encodes
	return string(encoded)
}

// quote returns text as a JSON string, in which < stays what it is.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(strings.ToValidUTF8(text, "\uFFFD")) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

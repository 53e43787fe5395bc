package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"
)

// printRecord prints a record as a line.
func (m *Main) printRecord(r *kgo.Record) error {
	at := r.Timestamp.UTC()
	if m.format == "json" {
		_, err := m.Stdout.Write(recordJSON(r, at))
		return err
	}
	line := fmt.Sprintf("%s  %d:%d  %s  %s", at.Format("2006-01-02 15:04:05.000"), r.Partition, r.Offset,
		textOf(r.Key), textOf(r.Value))
	if r.Value == nil {
		for _, h := range r.Headers {
			line += fmt.Sprintf("  %s=%s", h.Key, textOf(h.Value))
		}
	}
	_, err := fmt.Fprintln(m.Stdout, line)
	return err
}

// textOf returns bytes for people.
func textOf(b []byte) string {
	if b == nil {
		return "null"
	}
	return printable(string(b))
}

// recordJSON returns a record as an object on a line.
func recordJSON(r *kgo.Record, at time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"topic":%s,"partition":%d,"offset":%d,"timestamp":%q,"key":%s,"value":%s,"headers":[`,
		quote(r.Topic), r.Partition, r.Offset, at.Format("2006-01-02T15:04:05.000Z07:00"), jsonOf(r.Key), jsonOf(r.Value))
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
	if v := jsontext.Value(b); len(b) > 0 && v.IsValid(jsontext.AllowDuplicateNames(true)) {
		v = v.Clone()
		if v.Compact(jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true)) == nil {
			return string(v)
		}
	}
	return stringOf(b)
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

// quote returns text as a JSON string, of which no part can be taken for HTML's
// escapes.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(strings.ToValidUTF8(text, "\uFFFD")) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

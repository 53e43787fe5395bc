package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/deadletter"
	"traitstream/kafka"
)

func (m *Main) dlqShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show PARTITION:OFFSET | TOPIC/PARTITION/OFFSET[/INDEX] | FILE:LINE",
		Short: "Show all of a dead letter: why, its headers, its bytes",
		Long: "Shows a dead letter by its own place, which `dlq list` tells in its first column, or all letters of what stood\n" +
			"at a place of a source topic or in a line of a file that was imported.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			which, err := parseLetterPlace(args[0], cfg.DeadLetterTopic())
			if err != nil {
				return err
			}
			return m.dlqShow(c.Context(), cfg, which)
		},
	}
}

// letterAt is the place of a letter, or else of its source.
type letterAt struct {
	text   string
	own    *place // partition of the dead letters
	offset int64  // with own

	source string // with /index where it is given, else whatever the index
}

func parseLetterPlace(text, letters string) (letterAt, error) {
	at := letterAt{text: text, source: text}
	parts := strings.Split(text, "/")
	if before, after, ok := strings.Cut(text, ":"); ok && len(parts) == 1 {
		parts = []string{letters, before, after}
	}
	numbers, isPlace := []int64{}, len(parts) == 3 || len(parts) == 4
	for _, p := range parts[1:] {
		n, err := strconv.ParseInt(p, 10, 64)
		isPlace = isPlace && err == nil && n >= 0
		numbers = append(numbers, n)
	}
	if isPlace && len(parts) == 3 && parts[0] == letters && numbers[0] < 1<<31 {
		at.own, at.offset = &place{letters, int32(numbers[0])}, numbers[1]
		return at, nil
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && !isPlace {
		_, err := strconv.Atoi(text[i+1:])
		isPlace = err == nil
	}
	if !isPlace {
		return at, usage("dlq show: %q is no place: PARTITION:OFFSET of the dead letters, TOPIC/PARTITION/OFFSET or FILE:LINE of what was refused", text)
	}
	return at, nil
}

// is tells whether a letter's source is the one that is looked for.
func (a *letterAt) is(l *deadletter.Letter) bool {
	if source := l.Source(); source == a.source {
		return true
	}
	whole := *l
	whole.Place.Index = -1
	return whole.Source() == a.source
}

// dlqShow prints the letters of a place.
func (m *Main) dlqShow(ctx context.Context, cfg *config.Config, which letterAt) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := describeLetters(ctx, conn.client, cfg)
	if err != nil {
		return err
	}
	if topics.letters.Missing {
		return kafka.NoSuchTopic(ctx, conn.client, topics.letters.Name)
	}
	marks, err := deadletter.ReadMarks(ctx, conn.client, topics.control, topics.letters)
	if err != nil {
		return err
	}
	shown := 0
	show := func(r *kgo.Record) error {
		l := deadletter.Parse(r)
		if which.own == nil && !which.is(l) {
			return nil
		}
		shown++
		return m.printLetter(l, newLetterReport(l, letterState(l, marks)), shown > 1)
	}
	if which.own != nil {
		err = readOne(ctx, conn.client, topics.letters, which, show)
	} else {
		reader := deadletter.Reader{Client: conn.client, Topic: topics.letters.Name}
		err = reader.Read(ctx, show)
	}
	if err == nil && shown == 0 {
		return fmt.Errorf("no dead letter of %s is at %s, or none any more: `dlq list` tells which there are", topics.letters.Name, which.text)
	}
	return err
}

// readOne calls fn for the letter at its own place, if there is one.
func readOne(ctx context.Context, cl *kgo.Client, letters kafka.Topic, which letterAt, fn func(*kgo.Record) error) error {
	if which.own.partition >= letters.Partitions {
		return nil
	}
	ends, err := listed(kadm.NewClient(cl).ListEndOffsets(ctx, letters.Name))
	if err != nil {
		return err
	}
	if end, ok := ends.Lookup(letters.Name, which.own.partition); !ok || which.offset >= end.Offset {
		return nil
	}
	err = kafka.ReadPartition(ctx, cl, letters.Name, which.own.partition, which.offset, which.offset+1, fn)
	if gone := (*kafka.OutOfRangeError)(nil); errors.As(err, &gone) {
		return nil
	}
	return err
}

// shownLetter is a letter whole, as JSON. Key, value and headers are strings, or
// {"base64":…}, so that they are its bytes.
type shownLetter struct {
	letterReport
	Key     json.RawMessage `json:"key"`
	Value   json.RawMessage `json:"value"`
	Headers []shownHeader   `json:"headers"`
}

type shownHeader struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func (m *Main) printLetter(l *deadletter.Letter, report letterReport, more bool) error {
	if m.format == "json" {
		shown := shownLetter{letterReport: report, Key: json.RawMessage(stringOf(l.Record.Key)), Value: json.RawMessage(stringOf(l.Record.Value)), Headers: []shownHeader{}}
		for _, h := range l.Record.Headers {
			shown.Headers = append(shown.Headers, shownHeader{h.Key, json.RawMessage(stringOf(h.Value))})
		}
		return m.printJSON(shown)
	}
	if more {
		if _, err := fmt.Fprintln(m.Stdout); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(m.Stdout, letterText(l, report))
	return err
}

// letterText returns a letter for people.
func letterText(l *deadletter.Letter, r letterReport) string {
	var b strings.Builder
	row := func(name, text string) { fmt.Fprintf(&b, "%-11s%s\n", name, text) }
	row("letter", fmt.Sprintf("%s of %s", letterPlace(l), l.Record.Topic))
	if r.Time != nil {
		row("refused", exactMoment(*r.Time))
	}
	row("reason", printable(r.Reason))
	row("message", printable(r.Message))
	row("stage", printable(r.Stage))
	row("from", printable(l.Source()))
	if l.File != "" {
		row("for", printable(l.Place.Topic))
	}
	if r.Source.Timestamp != nil {
		row("timestamp", exactMoment(*r.Source.Timestamp))
	}
	row("state", strings.ReplaceAll(r.State, "_", " "))
	if l.From != "" {
		row("put back", "from "+printable(l.From))
	}
	for i, h := range l.Own {
		row(first(i, "headers"), printable(h.Key)+" = "+textOf(h.Value))
	}
	row("key", counted(l.Record.Key))
	for _, line := range lines(l.Record.Key) {
		row("", line)
	}
	row("value", counted(l.Record.Value)+cutText(l))
	for _, line := range lines(l.Record.Value) {
		row("", line)
	}
	return b.String()
}

// first returns a word for the first of several rows.
func first(i int, word string) string {
	if i > 0 {
		return ""
	}
	return word
}

func cutText(l *deadletter.Letter) string {
	if l.Truncated {
		return ", and more that was cut off"
	}
	return ""
}

// hexUnlessText returns UTF-8 as it is, and a dump of what is none.
func hexUnlessText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return hex.Dump(b)
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/deadletter"
)

func (m *Main) dlqListCommand() *cobra.Command {
	var f letterFilter
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters and count them by reason",
		Long: "Lists dead letters in the order of their topic, one partition after the other, and counts them by reason.\n" +
			"The first column is the letter's own place, partition:offset, which `dlq show` takes; then come when and why\n" +
			"it was refused and where it stood: topic/partition/offset, with /index in an array, or file:line.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err == nil {
				err = f.check()
			}
			if err != nil {
				return err
			}
			return m.dlqList(c.Context(), cfg, f)
		},
	}
	f.flags(c, "list at most `N`, the first ones; all are counted")
	return c
}

// States of a letter.
const (
	letterNew      = "new"
	letterPutBack  = "put_back"
	letterReturned = "returned" // what was put back was refused again
)

// letterReport is a dead letter as dlq prints it.
type letterReport struct {
	Partition int32        `json:"partition"` // with Offset, the letter's own place
	Offset    int64        `json:"offset"`
	Time      *time.Time   `json:"time"` // when it was refused
	Reason    string       `json:"reason"`
	Stage     string       `json:"stage"`
	Message   string       `json:"message"`
	Source    letterSource `json:"source"`
	Bytes     int          `json:"bytes"` // of the value
	Truncated bool         `json:"truncated"`
	State     string       `json:"state,omitempty"`
	// PutBackFrom is the place of the letter before, where the source record was
	// put back.
	PutBackFrom *string `json:"put_back_from"`
}

// letterSource is where the refused element stood; null is what is not known.
type letterSource struct {
	Topic     *string    `json:"topic"`
	Partition *int32     `json:"partition"`
	Offset    *int64     `json:"offset"`
	Index     *int32     `json:"index"`
	Timestamp *time.Time `json:"timestamp"`
	File      *string    `json:"file"`
	Line      *int       `json:"line"`
}

func newLetterReport(l *deadletter.Letter, state string) letterReport {
	r := letterReport{
		Partition: l.Record.Partition, Offset: l.Record.Offset, Time: timeOrNone(l.Record.Timestamp.UnixMilli()),
		Reason: l.Why(), Stage: l.Stage, Message: l.Message, Bytes: len(l.Record.Value), Truncated: l.Truncated, State: state,
	}
	p, s := &l.Place, &r.Source
	s.Timestamp = timeOrNone(p.Timestamp)
	if p.Topic != "" {
		s.Topic = &p.Topic
	}
	if p.Offset >= 0 {
		s.Partition, s.Offset = &p.Partition, &p.Offset
	}
	if p.Index >= 0 {
		s.Index = &p.Index
	}
	if l.File != "" {
		s.File, s.Line = &l.File, &l.Line
	}
	if l.From != "" {
		r.PutBackFrom = &l.From
	}
	return r
}

// letterState returns the state of a letter.
func letterState(l *deadletter.Letter, marks *deadletter.Marks) string {
	switch {
	case marks.Has(l.Record):
		return letterPutBack
	case l.From != "":
		return letterReturned
	}
	return letterNew
}

// timeOrNone returns a time in ms, nil for none.
func timeOrNone(ms int64) *time.Time {
	if ms < 0 {
		return nil
	}
	at := time.UnixMilli(ms).UTC()
	return &at
}

// letterCounts is what dlq list prints at its end.
type letterCounts struct {
	Letters int64            `json:"letters"`
	Listed  int64            `json:"listed"`
	Reasons map[string]int64 `json:"reasons"`
	States  map[string]int64 `json:"states"`
}

// dlqList prints dead letters and counts them.
func (m *Main) dlqList(ctx context.Context, cfg *config.Config, f letterFilter) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := describeLetters(ctx, conn.client, cfg)
	if err != nil {
		return err
	}
	counts := letterCounts{Reasons: map[string]int64{}, States: map[string]int64{}}
	if topics.letters.Missing {
		return m.printLetterCounts(counts)
	}
	marks, err := deadletter.ReadMarks(ctx, conn.client, topics.control, topics.letters)
	if err != nil {
		return err
	}
	rows := m.newLetterRows("STATE")
	reader := &deadletter.Reader{Client: conn.client, Topic: topics.letters.Name, Since: f.since.at}
	err = reader.Read(ctx, func(r *kgo.Record) error {
		l := deadletter.Parse(r)
		if !f.wants(l) {
			return nil
		}
		report := newLetterReport(l, letterState(l, marks))
		counts.Letters++
		counts.Reasons[report.Reason]++
		counts.States[report.State]++
		if f.limit > 0 && counts.Listed == int64(f.limit) {
			return nil
		}
		counts.Listed++
		return rows.add(l, report, report.State)
	})
	if err == nil {
		err = rows.flush()
	}
	if err != nil {
		return err
	}
	return m.printLetterCounts(counts)
}

// printLetterCounts prints what is below the list.
func (m *Main) printLetterCounts(c letterCounts) error {
	if m.format == "json" {
		return m.printJSON(c)
	}
	if c.Letters == 0 {
		_, err := fmt.Fprintln(m.Stdout, "no dead letters")
		return err
	}
	t := table{right: map[int]bool{1: true}}
	t.add("REASON", "LETTERS")
	for _, reason := range mostFirst(c.Reasons) {
		t.add(printable(reason), strconv.FormatInt(c.Reasons[reason], 10))
	}
	if _, err := fmt.Fprintln(m.Stdout); err != nil {
		return err
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	text := plural(int(c.Letters), "dead letter", "dead letters")
	if c.Listed < c.Letters {
		text += fmt.Sprintf(", of which the first %d are listed", c.Listed)
	}
	for _, s := range []struct{ state, words string }{
		{letterPutBack, "%d put back"}, {letterReturned, "%d refused again after having been put back"},
	} {
		if n := c.States[s.state]; n > 0 {
			text += ", " + fmt.Sprintf(s.words, n)
		}
	}
	_, err := fmt.Fprintln(m.Stdout, text)
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/explorer"
	"traitstream/state"
)

func (m *Main) explainCommand() *cobra.Command {
	var o lookupOptions
	c := &cobra.Command{
		Use:   "explain USER TRAIT",
		Short: "Tell where the value of a user's trait comes from",
		Long: "Tells what a trait of a user is and why: its value and when it was last seen, the impression that changed it\n" +
			"(flag, environment, label, and where it was read: topic, partition, offset, element), the definition that wanted\n" +
			"it, the value before, the change that went out, and whether it has expired or was forgotten.\n\n" + lookupHelp,
		Example: "  traitstream explain user-1042 new_checkout\n" +
			"  traitstream explain user-1042 new_checkout --ask 127.0.0.1:8080\n" +
			"  traitstream explain user-1042 new_checkout --at-rest --state-dir traitstream-data",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := o.check(args[0])
			if err == nil {
				err = checkTrait(args[1])
			}
			if err != nil {
				return err
			}
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.explain(c.Context(), cfg, &o, u, args[1])
		},
	}
	o.flags(c)
	return c
}

func (m *Main) explain(ctx context.Context, cfg *config.Config, o *lookupOptions, u state.User, name string) (err error) {
	place, err := m.openPlace(ctx, cfg, o, u)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.close()) }()
	one, err := place.one(ctx, name)
	if err != nil {
		return err
	}
	if m.format == "json" {
		err = m.printJSON(one)
	} else {
		err = printStory(m.Stdout, one, time.Now())
	}
	if err == nil && one.State == explorer.Unknown {
		return errReported
	}
	return err
}

// standing says how a trait stands.
func standing(s explorer.State) string {
	switch s {
	case explorer.Expired:
		return "expired"
	case explorer.NotServed:
		return "not served where it was seen last"
	case explorer.Forgotten:
		return "forgotten"
	case explorer.Removed:
		return "removed"
	case explorer.Unsent:
		return "seen, but not sent"
	case explorer.Unknown:
		return "unknown: never seen, or removed since"
	}
	return "set"
}

// story is a list of facts, each with its name.
type story [][2]string

func (s *story) tell(name, format string, args ...any) {
	*s = append(*s, [2]string{name, fmt.Sprintf(format, args...)})
}

// printStory prints what is known of a trait.
func printStory(w io.Writer, t *explorer.Trait, now time.Time) error {
	var s story
	s.tell("user", "%s (%s)", printable(t.ID), t.Identity)
	s.tell("trait", "%s", printable(t.Trait))
	s.value(t)
	if t.SeenAt != nil {
		what := "last seen"
		if t.Origin.Kind == explorer.FromTopic {
			what = "first seen"
		}
		s.tell(what, "%s", agoText(*t.SeenAt, now))
	}
	s.change(t, now)
	if t.ExpiresAt != nil && t.State != explorer.Expired {
		s.tell("expires", "%s, unless it is seen again", exactly(*t.ExpiresAt))
	}
	if t.Forgotten != nil {
		s.tell("forgotten", "%s; what was seen up to %s is refused", agoText(t.Forgotten.At, now), exactly(t.Forgotten.Until))
	}
	s.tell("told by", "%s", originText(&t.Origin))
	return s.print(w)
}

func (s *story) value(t *explorer.Trait) {
	switch {
	case t.Value != nil && t.State == explorer.Expired:
		s.tell("value", "%s, expired at %s and about to be removed", textOf(t.Value), exactly(*t.ExpiresAt))
	case t.Value != nil:
		s.tell("value", "%s", textOf(t.Value))
	default:
		s.tell("value", "none: it is %s", standing(t.State))
	}
	if t.Unsent != nil {
		s.tell("not sent", "%s, which a replay has seen that sends nothing; it goes out with the next impression", textOf(t.Unsent))
	}
}

// change tells of the last change and what it came from.
func (s *story) change(t *explorer.Trait, now time.Time) {
	if t.ChangedAt != nil {
		before := "it was the first"
		if t.Previous != nil {
			before = "before that it was " + textOf(t.Previous)
		}
		s.tell("changed", "%s; %s", agoText(*t.ChangedAt, now), before)
	}
	if t.Source != nil {
		at := fmt.Sprintf("%s, partition %d, offset %d", printable(t.Source.Topic), t.Source.Partition, t.Source.Offset)
		if t.Source.Index != nil {
			at += fmt.Sprintf(", element %d", *t.Source.Index)
		}
		s.tell("by", "%s", at)
		s.tell("flag", "%s", flagText(t))
		definition := printable(*t.Definition)
		if t.Generation != nil {
			definition += fmt.Sprintf(", generation %d", *t.Generation)
		}
		s.tell("definition", "%s", definition)
	}
	if t.ChangeID != nil {
		sent := *t.ChangeID
		if t.ChangeTimestamp != nil {
			sent += ", with timestamp " + exactly(*t.ChangeTimestamp)
		}
		if t.Reason != nil {
			sent += ", which removed it: " + strings.ReplaceAll(printable(*t.Reason), "_", " ")
		}
		s.tell("change", "%s", sent)
	}
}

func flagText(t *explorer.Trait) string {
	text := fmt.Sprintf("%s, version %d", printable(*t.Split), *t.FlagVersion)
	if t.Environment != nil {
		text += ", environment " + printable(*t.Environment)
	}
	if t.Label != nil {
		text += fmt.Sprintf(", label %q", *t.Label)
	}
	return text
}

func originText(o *explorer.Origin) string {
	switch o.Kind {
	case explorer.FromOwner:
		return fmt.Sprintf("task %d at %s", o.Task, printable(o.Instance))
	case explorer.FromFolder:
		return fmt.Sprintf("task %d in folder %s, as of %s", o.Task, printable(o.Dir), exactly(*o.Committed))
	case explorer.FromTopic:
		text := fmt.Sprintf("%s, partition %d", printable(o.Topic), o.Task)
		if o.Offset != nil {
			text += fmt.Sprintf(", offset %d", *o.Offset)
		}
		return text
	}
	return printable(o.Kind)
}

// exactly returns a time to the ms.
func exactly(t explorer.Time) string { return exactMoment(t.Time()) }

// agoText returns a time, and how long ago it was.
func agoText(t explorer.Time, now time.Time) string {
	since := now.Sub(t.Time())
	if since < 0 {
		return exactly(t) + ", " + humanWait(-since) + " from now"
	}
	return exactly(t) + ", " + humanWait(since) + " ago"
}

// print prints the facts in two columns.
func (s *story) print(w io.Writer) error {
	width := 0
	for _, fact := range *s {
		width = max(width, runewidth.StringWidth(fact[0]))
	}
	for _, fact := range *s {
		if _, err := fmt.Fprintf(w, "%-*s  %s\n", width, fact[0], fact[1]); err != nil {
			return err
		}
	}
	return nil
}

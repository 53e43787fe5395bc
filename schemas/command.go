package schemas

import (
	"errors"
	"fmt"
	"slices"

	"traitstream/impression"
)

// Headers of commands in the inbox, beside the kind.
const (
	headerIdentity = "traitstream.identity" // of the user that is forgotten, who is the record's key
	headerTrait    = "traitstream.trait"    // the one that is forgotten; left out for all of them
	headerTime     = "traitstream.time"     // of a tick, ms since 1970
	// headerGeneration is that of the definitions, of a Define, Switch or Undefine.
	headerGeneration = "traitstream.generation"
)

// CommandKind tells what a command in the inbox asks for.
type CommandKind string

// The kinds of commands.
const (
	Forget CommandKind = "forget" // a user's traits, or one of them
	Tick   CommandKind = "tick"   // of a task's clock
	// Define has a task compute other definitions beside those in force, Switch go over
	// to them, Undefine give them up.
	Define   CommandKind = "define"
	Switch   CommandKind = "switch"
	Undefine CommandKind = "undefine"
)

// defines tells whether a command is one about definitions.
func (k CommandKind) defines() bool { return k == Define || k == Switch || k == Undefine }

// HeaderKind is the header of an inbox record that tells its kind; the last one of
// the name counts.
const HeaderKind = headerKind

// IsDefining tells whether an inbox record's kind is that of a command about
// definitions.
func IsDefining(kind []byte) bool { return CommandKind(kind).defines() }

// Command is what an inbox record asks of its task. The user of a Forget is the
// record's key.
type Command struct {
	Kind     CommandKind
	Identity impression.Identity // of a Forget
	Trait    []byte              // of a Forget; nil: all
	Time     int64               // of a Tick, ms since 1970
	// Generation is that of the definitions, of a Define, Switch or Undefine.
	Generation uint32
}

// Headers returns those of the inbox record that carries the command.
func (c Command) Headers() []Header {
	headers := []Header{text(headerKind, string(c.Kind))}
	if c.Kind == Tick {
		return append(headers, integer(headerTime, c.Time))
	}
	if c.Kind.defines() {
		return append(headers, integer(headerGeneration, int64(c.Generation)))
	}
	headers = append(headers, text(headerIdentity, c.Identity.String()))
	if c.Trait != nil {
		headers = append(headers, Header{Key: headerTrait, Value: c.Trait})
	}
	return headers
}

// ParseCommand reads the headers of an inbox record that is no forwarded
// impression. A kind that this release does not know is a *KindError; other errors
// mean that something else has written to the inbox.
func ParseCommand(headers []Header) (Command, error) {
	headers = lastInboxHeaders(headers)
	if len(headers) == 0 {
		return Command{}, errors.New("an inbox record has no header " + headerKind)
	}
	c := Command{Kind: CommandKind(headers[0].Value), Time: -1}
	if c.Kind != Forget && c.Kind != Tick && !c.Kind.defines() {
		return Command{}, &KindError{Kind: string(c.Kind)}
	}
	for _, h := range headers[1:] {
		var err error
		switch h.Key {
		case headerIdentity:
			c.Identity, err = parseIdentity(string(h.Value))
		case headerTrait:
			if c.Trait = slices.Clone(h.Value); len(c.Trait) == 0 {
				err = errors.New("it is empty")
			}
		case headerTime:
			c.Time, err = natural(string(h.Value), 64)
		case headerGeneration:
			var n int64
			n, err = natural(string(h.Value), 33)
			c.Generation = uint32(n)
		}
		if err != nil {
			return Command{}, fmt.Errorf("reading inbox header %s: %w", h.Key, err)
		}
	}
	switch {
	case c.Kind == Tick && c.Time < 0:
		return Command{}, errors.New("a tick in the inbox has no time")
	case c.Kind.defines() && c.Generation == 0:
		return Command{}, errors.New("a command in the inbox tells no generation of the definitions")
	case c.Kind == Forget && c.Identity == 0:
		return Command{}, errors.New("a command in the inbox does not tell the identity")
	}
	return c, nil
}

func parseIdentity(text string) (impression.Identity, error) {
	for _, i := range []impression.Identity{impression.User, impression.Anonymous} {
		if i.String() == text {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no identity", text)
}

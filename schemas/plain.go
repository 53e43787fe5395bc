package schemas

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"traitstream/impression"
	"traitstream/trait"
)

// plain reads what AppendKey and AppendValue write where no text needs an escape,
// which is nearly all: member after member, without looking for names. What it
// does not find as it expects is left to the reader of JSON, so it changes nothing
// but the time that it takes.
type plain struct {
	rest   []byte
	failed bool
}

// plainValue reads a value; false if it must be read as JSON. The slices of the
// change do not point into b.
func plainValue(b []byte) (c Change, ok bool) {
	if !utf8.Valid(b) || bytes.IndexByte(b, '\\') >= 0 {
		return c, false
	}
	p := plain{rest: bytes.Clone(b)}
	c.Key = p.key()
	e := &c.Emission
	e.Sent = true
	p.skip(`,"value":`)
	e.Value = p.quoted()
	p.skip(`,"previous":`)
	if !p.null() {
		e.Previous = p.quoted()
	}
	p.skip(`,"seen_at":`)
	e.SeenAt = p.time()
	p.skip(`,"split":`)
	e.Facts.Flag = p.text()
	p.skip(`,"environment":`)
	e.Facts.Environment = p.optional()
	p.skip(`,"label":`)
	e.Facts.Label = p.optional()
	p.skip(`,"flag_version":`)
	e.Version = p.number()
	p.skip(`,"definition":`)
	e.Facts.Definition = string(p.text())
	p.skip(`,"change_id":`)
	id := p.text()
	if len(id) != hex.EncodedLen(len(c.ID)) {
		return c, false
	}
	_, errID := hex.Decode(c.ID[:], id)
	p.skip(`,"source":`)
	e.Facts.Place = p.place()
	p.skip(`}`)
	return c, errID == nil && !p.failed && len(p.rest) == 0
}

// plainKey reads a key; false if it must be read as JSON.
func plainKey(b []byte) (trait.Key, bool) {
	if !utf8.Valid(b) || bytes.IndexByte(b, '\\') >= 0 {
		return trait.Key{}, false
	}
	p := plain{rest: bytes.Clone(b)}
	k := p.key()
	p.skip(`}`)
	return k, !p.failed && len(p.rest) == 0
}

// key reads the members that key and value begin with.
func (p *plain) key() (k trait.Key) {
	p.skip(`{"identity":`)
	switch string(p.text()) {
	case impression.User.String():
		k.Identity = impression.User
	case impression.Anonymous.String():
		k.Identity = impression.Anonymous
	default:
		p.failed = true
	}
	p.skip(`,"id":`)
	k.User = p.text()
	p.skip(`,"trait":`)
	k.Trait = p.text()
	return k
}

func (p *plain) place() (at trait.Place) {
	p.skip(`{"topic":`)
	at.Topic = string(p.text())
	p.skip(`,"partition":`)
	at.Partition = p.small()
	p.skip(`,"offset":`)
	at.Offset = p.number()
	at.Index, at.Timestamp = -1, -1
	if len(p.rest) > 0 && p.rest[0] == ',' {
		p.skip(`,"index":`)
		at.Index = p.small()
	}
	p.skip(`}`)
	return at
}

func (p *plain) skip(literal string) {
	if len(p.rest) < len(literal) || string(p.rest[:len(literal)]) != literal {
		p.failed, p.rest = true, nil
		return
	}
	p.rest = p.rest[len(literal):]
}

func (p *plain) null() bool {
	if len(p.rest) > 0 && p.rest[0] == 'n' {
		p.skip("null")
		return true
	}
	return false
}

func (p *plain) optional() []byte {
	if p.null() {
		return nil
	}
	return p.text()
}

// quoted reads a string with its quotes. There are no escapes.
func (p *plain) quoted() []byte {
	if len(p.rest) < 2 || p.rest[0] != '"' {
		p.failed = true
		return nil
	}
	for i, c := range p.rest[1:] {
		switch {
		case c == '"':
			all := p.rest[: i+2 : i+2]
			p.rest = p.rest[i+2:]
			return all
		case c < ' ':
			p.failed = true
			return nil
		}
	}
	p.failed = true
	return nil
}

func (p *plain) text() []byte {
	all := p.quoted()
	if all == nil {
		return nil
	}
	return all[1 : len(all)-1 : len(all)-1]
}

// number reads an integer as AppendInt writes it.
func (p *plain) number() int64 {
	end := 0
	for end < len(p.rest) && (p.rest[end] == '-' || p.rest[end] >= '0' && p.rest[end] <= '9') {
		end++
	}
	n, err := strconv.ParseInt(string(p.rest[:end]), 10, 64)
	var again [20]byte
	if err != nil || !bytes.Equal(strconv.AppendInt(again[:0], n, 10), p.rest[:end]) {
		p.failed = true
	}
	p.rest = p.rest[end:]
	return n
}

func (p *plain) small() int32 {
	n := p.number()
	if int64(int32(n)) != n {
		p.failed = true
	}
	return int32(n)
}

// time reads a time as appendTime writes it, ms since 1970.
func (p *plain) time() int64 {
	text := p.text()
	if len(text) != len(timeLayout) {
		p.failed = true
		return 0
	}
	two := func(at int) int { return int(text[at]-'0')*10 + int(text[at+1]-'0') }
	at := time.Date(100*two(0)+two(2), time.Month(two(5)), two(8), two(11), two(14), two(17), 0, time.UTC).UnixMilli()
	at += int64(text[20]-'0')*100 + int64(two(21))
	var again [len(timeLayout)]byte
	if !bytes.Equal(appendTime(again[:0], at), text) { // it is no such time
		p.failed = true
	}
	return at
}

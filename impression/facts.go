package impression

import (
	"math/bits"
	"unicode/utf8"
)

// maxUser is the size of the longest user, in bytes.
const maxUser = 1024

// facts reads the facts of one impression. It notes the first fault that makes
// them malformed, and goes on.
type facts struct {
	d         *Decoder
	malformed string
	badTime   string
	noTime    bool
}

func (f *facts) fault(n name, message string) {
	if f.malformed == "" {
		f.malformed = `"` + nameText[n] + `" ` + message
	}
}

// find returns the one member of o that has one of the names and is not null.
func (f *facts) find(o *object, of names) (n name, t token, ok bool) {
	set := o.seen & of
	if set == 0 {
		return 0, token{}, false
	}
	n = name(bits.TrailingZeros64(uint64(set)))
	if other := set & (set - 1); other != 0 {
		f.fault(n, `and "`+nameText[bits.TrailingZeros64(uint64(other))]+`" stand in one object`)
		return 0, token{}, false
	}
	if o.twice&set != 0 {
		f.fault(n, "stands twice in an object")
		return 0, token{}, false
	}
	t = o.at[n]
	return n, t, o.data[t.start] != 'n'
}

// text reads a fact that is a string of UTF-8; nil is a missing one.
func (f *facts) text(o *object, of names) []byte {
	n, b, fl := f.rawText(o, of)
	if fl != 0 && !utf8.Valid(b) {
		f.fault(n, "is not valid UTF-8: "+quote(b))
		return nil
	}
	return b
}

// rawText reads a string that may not be UTF-8 if it has flags.
func (f *facts) rawText(o *object, of names) (name, []byte, flags) {
	n, t, ok := f.find(o, of)
	if !ok {
		return n, nil, 0
	}
	if t.kind(o.data) != String {
		f.fault(n, "is "+typeName(o.data[t.start])+", not a string")
		return n, nil, 0
	}
	return n, f.d.unquote(o.data, t), t.flags
}

// version reads a whole number of 64 bits; a missing one is 0.
func (f *facts) version(o *object, of names) int64 {
	n, t, ok := f.find(o, of)
	if !ok {
		return 0
	}
	var b []byte
	switch t.kind(o.data) {
	case Number:
		b = t.bytes(o.data)
	case String:
		if b = f.d.unquote(o.data, t); b == nil {
			return 0
		}
	default:
		f.fault(n, "is "+typeName(o.data[t.start])+", not a whole number")
		return 0
	}
	if isNumber(b) {
		if v, exact, fits := parseInt(b); exact && fits {
			return v
		}
	}
	f.fault(n, "is no whole number of 64 bits: "+quote(b))
	return 0
}

// time reads a time, and tells whether there is one, good or bad.
func (f *facts) time(o *object, of names) (ms int64, there bool) {
	n, t, ok := f.find(o, of)
	if !ok {
		return 0, false
	}
	var b []byte
	switch t.kind(o.data) {
	case Number:
		b = t.bytes(o.data)
	case String:
		if b = f.d.unquote(o.data, t); b == nil {
			return 0, false
		}
		if !utf8.Valid(b) {
			f.fault(n, "is not valid UTF-8: "+quote(b))
			return 0, true
		}
	default:
		f.badTime = `"` + nameText[n] + `" is ` + typeName(o.data[t.start]) + ", not a time"
		return 0, true
	}
	ms, f.badTime = parseTime(b)
	return ms, true
}

// rest reads what all shapes hold in one object: everything but user, flag and
// time.
func (f *facts) rest(m *Impression, o *object, a *aliases) {
	m.Treatment = f.text(o, a.treatment)
	m.Version = f.version(o, a.version)
	m.Label = f.text(o, a.label)
	m.EnvironmentName = f.text(o, a.environmentName)
	m.EnvironmentID = f.text(o, a.environmentID)
	f.d.nameEnvironment(m)
}

// judge refuses an element whose facts are not good, and tells whether they
// are.
func (f *facts) judge(e *Element) bool {
	m := &e.Impression
	switch {
	case f.malformed != "":
		e.refuse(Malformed, f.malformed)
	case len(m.User) == 0:
		e.refuse(MissingUser, "no user key")
	case len(m.User) > maxUser:
		e.refuse(BadUser, "the user key is longer than 1024 bytes: "+quote(m.User))
	case !utf8.Valid(m.User):
		e.refuse(BadUser, "the user key is not valid UTF-8: "+quote(m.User))
	case len(m.Flag) == 0:
		e.refuse(MissingFlag, "no flag name")
	case len(m.Treatment) == 0:
		e.refuse(MissingTreatment, "no treatment")
	case f.noTime:
		e.refuse(MissingTime, "no time")
	case f.badTime != "":
		e.refuse(BadTime, f.badTime)
	default:
		return true
	}
	return false
}

// unquote returns what a string token means; nil stands for the empty one.
func (d *Decoder) unquote(data []byte, t token) []byte {
	inside := data[t.start+1 : t.end-1 : t.end-1]
	if len(inside) == 0 {
		return nil
	}
	if t.flags&escaped == 0 {
		return inside
	}
	return unescape(d.arena.lend(len(inside)), inside)
}

// nameEnvironment fills in the environment's name by the source's settings.
func (d *Decoder) nameEnvironment(m *Impression) {
	switch {
	case m.EnvironmentName != nil:
	case m.EnvironmentID == nil:
		m.EnvironmentName = d.environment
	case d.environments != nil:
		m.EnvironmentName = d.environments[string(m.EnvironmentID)]
	}
}

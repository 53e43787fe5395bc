package impression

// token is a value of an object: its bounds, and of a string what stands in it.
type token struct {
	start, end int
	flags      flags
}

// kind tells a token's JSON type by its first byte.
func (t token) kind(data []byte) Kind {
	switch data[t.start] {
	case 'n':
		return Absent
	case '"':
		return String
	case 't', 'f':
		return Bool
	case '{', '[':
		return Composite
	}
	return Number
}

// bytes returns a token as it stands.
func (t token) bytes(data []byte) []byte {
	return data[t.start:t.end:t.end]
}

// object notes where an object's members of known names stand. Of a name that
// stands twice it keeps the last.
type object struct {
	data        []byte
	start, end  int
	seen, twice names
	at          [numNames]token
	scratch     []byte

	// Where the objects under "properties" and "impression" are noted on the
	// way, so that their bytes are read once; nil for not at all.
	properties, impression *object

	known templates
}

// scan notes the members of the object at i, which has depth containers around
// it.
func (o *object) scan(s *scanner, i, depth int) int {
	if t, end := o.known.match(s.data, i); t != nil {
		t.note(s.data, i, &o.known.values, o)
		return end
	}
	return o.study(s, i, depth)
}

// study scans an object that fits no template, and learns of it.
func (o *object) study(s *scanner, i, depth int) int {
	end := o.walk(s, i, depth)
	if end >= 0 {
		o.known.learn(s.data[i:end], o)
	}
	return end
}

// walk scans the object member by member.
func (o *object) walk(s *scanner, i, depth int) int {
	o.data, o.start = s.data, i
	o.seen, o.twice = 0, 0
	i, done := s.open(i, depth, '}')
	for !done {
		n, at := o.name(s, i)
		if at < 0 {
			return -1
		}
		t := token{start: at}
		if inner := o.inner(n); inner != nil && at < len(s.data) && s.data[at] == '{' {
			t.end = inner.walk(s, at, depth+1)
		} else {
			t.end, t.flags = s.value(at, depth+1)
		}
		if n != 0 {
			o.twice |= o.seen & (1 << n)
			o.seen |= 1 << n
			o.at[n] = t
		}
		i, done = s.next(t.end, '}')
	}
	o.end = i
	return i
}

// inner returns where the object under a name is noted, or nil.
func (o *object) inner(n name) *object {
	switch n {
	case nProperties:
		return o.properties
	case nImpression:
		return o.impression
	}
	return nil
}

// name scans a name and its colon, and returns the place of the value.
func (o *object) name(s *scanner, i int) (n name, at int) {
	end, f, at := s.name(i)
	if at < 0 {
		return 0, -1
	}
	text := s.data[i+1 : end-1]
	if f&escaped != 0 {
		o.scratch = unescape(o.scratch[:0], text)
		text = o.scratch
	}
	return lookup(text), at
}

// typeName names the JSON type of a value that begins with c.
func typeName(c byte) string {
	switch c {
	case 'n':
		return "null"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "a number"
}

// notAnObject holds messages by type name. An array of a million numbers costs
// no memory for its messages.
var notAnObject = map[string]string{
	"null":      "null, not an object",
	"a string":  "a string, not an object",
	"a boolean": "a boolean, not an object",
	"a number":  "a number, not an object",
	"an array":  "an array, not an object",
}

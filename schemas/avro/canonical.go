package avro

import (
	"strconv"

	"traitstream/trait"
)

// appendCanonical appends the parsing canonical form, by the specification's
// "Transforming into Parsing Canonical Form". A named type is written out where it
// comes first, and is its name from then on.
func appendCanonical(dst []byte, n *node, written map[string]bool) []byte {
	if n.kind == kindUnion {
		dst = append(dst, '[')
		for i, inner := range n.inner {
			dst = appendCanonical(comma(dst, i), inner, written)
		}
		return append(dst, ']')
	}
	if n.name == "" && n.inner == nil {
		return trait.AppendJSONString(dst, string(n.kind))
	}
	if written[n.name] {
		return trait.AppendJSONString(dst, n.name)
	}
	dst = append(dst, '{')
	if n.name != "" {
		written[n.name] = true
		dst = append(trait.AppendJSONString(append(dst, `"name":`...), n.name), ',')
	}
	dst = trait.AppendJSONString(append(dst, `"type":`...), string(n.kind))
	return append(appendParts(dst, n, written), '}')
}

// appendParts appends what a type has beside its name and kind.
func appendParts(dst []byte, n *node, written map[string]bool) []byte {
	switch n.kind {
	case kindArray:
		return appendCanonical(append(dst, `,"items":`...), n.inner[0], written)
	case kindMap:
		return appendCanonical(append(dst, `,"values":`...), n.inner[0], written)
	case kindFixed:
		return strconv.AppendInt(append(dst, `,"size":`...), n.size, 10)
	case kindEnum:
		dst = append(dst, `,"symbols":[`...)
		for i, symbol := range n.symbols {
			dst = append(comma(dst, i), symbol...)
		}
		return append(dst, ']')
	case kindRecord:
		dst = append(dst, `,"fields":[`...)
		for i, f := range n.fields {
			dst = append(append(comma(dst, i), `{"name":`...), f.member[:len(f.member)-1]...)
			dst = append(appendCanonical(append(dst, `,"type":`...), f.of, written), '}')
		}
		return append(dst, ']')
	}
	return dst
}

// comma separates what is not the first.
func comma(dst []byte, i int) []byte {
	if i == 0 {
		return dst
	}
	return append(dst, ',')
}

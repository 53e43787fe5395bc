package trait

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// appendText appends text with its length before it, so that what follows can't
// be mistaken for part of it.
func appendText[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

func hashRules(rules []rule) [32]byte {
	text := []byte("traitstream definitions 1\n")
	for i := range rules {
		r := &rules[i]
		text = appendText(text, r.Name.text)
		text = appendText(text, r.Event)
		text = appendText(text, r.Property)
		text = append(text, byte(r.NotServed))
		text = appendText(text, describe(r.Where))
		var branches [][]byte
		for _, branch := range r.Any {
			branches = append(branches, describe(branch))
		}
		text = appendText(text, joinSorted(branches))
	}
	return sha256.Sum256(text)
}

// describe writes conditions in an order of their own.
func describe(conditions []Condition) []byte {
	var all [][]byte
	for i := range conditions {
		c := &conditions[i]
		var operands [][]byte
		for _, o := range c.operands {
			operands = append(operands, o.text)
		}
		text := appendText(nil, c.of.String())
		text = appendText(text, c.operator.name)
		all = append(all, appendText(text, joinSorted(operands)))
	}
	return joinSorted(all)
}

func joinSorted(texts [][]byte) []byte {
	slices.SortFunc(texts, bytes.Compare)
	joined := binary.AppendUvarint(nil, uint64(len(texts)))
	for _, text := range texts {
		joined = appendText(joined, text)
	}
	return joined
}

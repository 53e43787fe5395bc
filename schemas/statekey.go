package schemas

import (
	"bytes"
	"errors"

	"traitstream/impression"
	"traitstream/trait"
)

// In a state key a NUL of the user's id is followed by escapeNUL, and the id is
// ended by a NUL and endOfUser. So keys sort by identity, user and trait, all as
// bytes, and no user's keys lie among another's.
const (
	escapeNUL = 0xff
	endOfUser = 0x01
)

var errStateKey = errors.New("malformed state key: was it written by something else?")

// AppendStateKey appends the key of a trait's state, in changelog and store.
func AppendStateKey(dst []byte, k trait.Key) []byte {
	dst = append(dst, byte(k.Identity))
	user := k.User
	for {
		i := bytes.IndexByte(user, 0)
		if i < 0 {
			break
		}
		dst = append(dst, user[:i+1]...)
		dst = append(dst, escapeNUL)
		user = user[i+1:]
	}
	dst = append(dst, user...)
	dst = append(dst, 0, endOfUser)
	return append(dst, k.Trait...)
}

// DecodeStateKey reads a state key. The slices of the result point into b, save
// that of a user with a NUL in its id.
func DecodeStateKey(b []byte) (trait.Key, error) {
	if len(b) == 0 {
		return trait.Key{}, errStateKey
	}
	k := trait.Key{Identity: impression.Identity(b[0])}
	if k.Identity != impression.User && k.Identity != impression.Anonymous {
		return trait.Key{}, errStateKey
	}
	var unescaped []byte
	for rest := b[1:]; ; {
		i := bytes.IndexByte(rest, 0)
		if i < 0 || i+1 == len(rest) {
			return trait.Key{}, errStateKey
		}
		switch rest[i+1] {
		case escapeNUL:
			unescaped = append(unescaped, rest[:i+1]...)
		case endOfUser:
			k.User, k.Trait = rest[:i:i], rest[i+2:]
			if unescaped != nil {
				k.User = append(unescaped, rest[:i]...)
			}
			return k, nil
		default:
			return trait.Key{}, errStateKey
		}
		rest = rest[i+2:]
	}
}

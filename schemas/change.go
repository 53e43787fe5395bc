package schemas

import (
	"encoding/hex"
	"strconv"

	"traitstream/trait"
)

// AppendKey appends the key of the traits topic: canonical JSON of identity, id
// and trait.
func AppendKey(dst []byte, k trait.Key) []byte {
	return append(appendKeyMembers(dst, k), '}')
}

func appendKeyMembers(dst []byte, k trait.Key) []byte {
	dst = append(dst, `{"identity":`...)
	dst = trait.AppendJSONString(dst, k.Identity.String())
	dst = append(dst, `,"id":`...)
	dst = trait.AppendJSONString(dst, k.User)
	dst = append(dst, `,"trait":`...)
	return trait.AppendJSONString(dst, k.Trait)
}

// AppendValue appends the value of the traits topic for an emission of trait k
// with its change id: canonical JSON with a fixed order of fields. A removal has
// no such value; its record's value is null.
func AppendValue(dst []byte, k trait.Key, e *trait.Emission, id [16]byte) []byte {
	dst = appendKeyMembers(dst, k)
	dst = append(dst, `,"value":`...)
	dst = appendJSON(dst, e.Value)
	dst = append(dst, `,"previous":`...)
	dst = appendJSON(dst, e.Previous)
	dst = append(dst, `,"seen_at":"`...)
	dst = appendTime(dst, e.SeenAt)
	dst = append(dst, `","split":`...)
	dst = trait.AppendJSONString(dst, e.Facts.Flag)
	dst = append(dst, `,"environment":`...)
	dst = appendOptional(dst, e.Facts.Environment)
	dst = append(dst, `,"label":`...)
	dst = appendOptional(dst, e.Facts.Label)
	dst = append(dst, `,"flag_version":`...)
	dst = strconv.AppendInt(dst, e.Version, 10)
	dst = append(dst, `,"definition":`...)
	dst = trait.AppendJSONString(dst, e.Facts.Definition)
	dst = append(dst, `,"change_id":"`...)
	dst = hex.AppendEncode(dst, id[:])
	dst = append(dst, `","source":`...)
	dst = appendSource(dst, &e.Facts.Place)
	return append(dst, '}')
}

func appendSource(dst []byte, p *trait.Place) []byte {
	dst = append(dst, `{"topic":`...)
	dst = trait.AppendJSONString(dst, p.Topic)
	dst = append(dst, `,"partition":`...)
	dst = strconv.AppendInt(dst, int64(p.Partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, p.Offset, 10)
	if p.Index >= 0 {
		dst = append(dst, `,"index":`...)
		dst = strconv.AppendInt(dst, int64(p.Index), 10)
	}
	return append(dst, '}')
}

// appendJSON appends a value that is JSON already.
func appendJSON(dst, json []byte) []byte {
	if json == nil {
		return append(dst, "null"...)
	}
	return append(dst, json...)
}

func appendOptional(dst, text []byte) []byte {
	if text == nil {
		return append(dst, "null"...)
	}
	return trait.AppendJSONString(dst, text)
}

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
	dst = append(dst, `{"identity":"`...)
	dst = append(dst, k.Identity.String()...)
	dst = append(dst, `","id":`...)
	dst = trait.AppendJSONString(dst, k.User)
	dst = append(dst, `,"trait":`...)
	return trait.AppendJSONString(dst, k.Trait)
}

// AppendValue appends the value of the traits topic for an emission of trait k
// with its change id: canonical JSON with a fixed order of fields. A removal has
// no such value; its record's value is null.
func AppendValue(dst []byte, k trait.Key, e *trait.Emission, id [16]byte) []byte {
	return appendSourceMember(appendMembers(appendKeyMembers(dst, k), e, id), e)
}

// appendMembers appends the members between those of the key and the source. The
// last of them is the change id.
func appendMembers(dst []byte, e *trait.Emission, id [16]byte) []byte {
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
	return hex.AppendEncode(dst, id[:])
}

// appendSourceMember appends the source and what ends a value.
func appendSourceMember(dst []byte, e *trait.Emission) []byte {
	dst = append(dst, `","source":`...)
	dst = appendSource(dst, &e.Facts.Place)
	return append(dst, '}')
}

// ChangeRecord is a record of the traits topic. Value is nil for a removal; ID, in
// hex, and Reason, which removals alone have, are what its headers tell.
type ChangeRecord struct{ Key, Value, ID, Reason []byte }

// AppendChange appends to text what the record for an emission of trait k with
// its change id is made of. All of it lies there, and what comes twice is written
// once: the value has the key's members, and the id.
func AppendChange(text []byte, k trait.Key, e *trait.Emission, id [16]byte) ([]byte, ChangeRecord) {
	start := len(text)
	text = AppendKey(text, k)
	key := len(text)
	if e.Value == nil {
		text = hex.AppendEncode(text, id[:])
		reason := len(text)
		text = append(text, e.Reason...)
		return text, ChangeRecord{Key: part(text, start, key), ID: part(text, key, reason), Reason: part(text, reason, len(text))}
	}
	text = append(text, text[start:key-1]...)
	text = appendMembers(text, e, id)
	end := len(text)
	text = appendSourceMember(text, e)
	return text, ChangeRecord{
		Key: part(text, start, key), Value: part(text, key, len(text)), ID: part(text, end-hex.EncodedLen(len(id)), end),
	}
}

func part(text []byte, start, end int) []byte { return text[start:end:end] }

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

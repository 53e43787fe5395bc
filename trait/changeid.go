package trait

import (
	"crypto/sha256"
	"encoding/binary"
)

// What a change came from, in the text of its id.
const (
	causeSet     = 1
	causeRemoval = 2
)

// ChangeID returns the id of a change: the first half of SHA-256 over app,
// identity, user, trait and cause. The cause of a value is the place where its
// impression was first read and the generation of the definitions; that of a
// removal is its reason and the id of the change that it removes. So an id is
// the same whenever the change is computed or sent again, and no two changes
// share one.
func ChangeID(app string, k Key, e *Emission) [16]byte {
	var buffer [512]byte
	text := appendText(buffer[:0], app)
	text = append(text, byte(k.Identity))
	text = appendText(text, k.User)
	text = appendText(text, k.Trait)
	if e.Value == nil {
		text = append(text, causeRemoval)
		text = appendText(text, e.Reason)
		text = append(text, e.Removes[:]...)
	} else {
		p := &e.Facts.Place
		text = append(text, causeSet)
		text = appendText(text, p.Topic)
		text = binary.AppendVarint(text, int64(p.Partition))
		text = binary.AppendVarint(text, p.Offset)
		text = binary.AppendVarint(text, int64(p.Index))
		text = binary.AppendUvarint(text, uint64(e.Generation))
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

package trait

import "crypto/sha256"

// Reasons of removals, beside that of an impression under Clear.
const (
	Forgotten = "forgotten" // by a command
	Expired   = "expired"   // not seen for as long as the definition says
	// DefinitionRemoved: the definition is gone that fed it.
	DefinitionRemoved = "definition_removed"
)

// Removal returns the emission that takes away a record's value, for a reason and
// at a time, in ms since 1970. It is false where no value is out.
func (rec *Record) Removal(app string, k Key, reason string, at int64) (Emission, bool) {
	last := &rec.Emitted
	if last.Value == nil {
		return Emission{}, false
	}
	e := Emission{Sent: true, Previous: last.Value, SeenAt: at, Reason: reason, Removes: ChangeID(app, k, last)}
	e.Facts.Place.Timestamp = at
	return e, true
}

// MarkerID returns what stands for a user, or for one trait of a user, in the
// marker of what was forgotten: the first half of SHA-256 over app, identity, user
// and, unless it is nil, trait. So the marker knows a user who comes back and does
// not tell who it is.
func MarkerID(app string, k Key) [16]byte {
	var buffer [512]byte
	text := appendText(buffer[:0], app)
	text = append(text, byte(k.Identity))
	text = appendText(text, k.User)
	if k.Trait != nil {
		text = appendText(text, k.Trait)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// Absent tells whether nothing is known of a trait.
func (rec *Record) Absent() bool {
	seen := &rec.Seen
	return seen.SeenAt == 0 && seen.Version == 0 && seen.Treatment == nil && seen.Value == nil && !rec.Emitted.Sent
}

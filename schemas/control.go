package schemas

import "encoding/json"

// rulesKind is the kind of records of the control topic that hold the rules by which
// impressions are read; their name is the rules' hash.
const rulesKind = "rules"

// RulesHash returns which rules a record of the control topic holds. It is false for
// a record of another kind.
func RulesHash(key []byte) (hash string, ok bool) {
	k, ok := parseControlKey(key)
	return k.Name, ok && k.Kind == rulesKind
}

// ControlKey returns the key of a record of the control topic: what kind of thing
// it tells of, and its name.
func ControlKey(kind, name string) []byte {
	key, err := json.Marshal(struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}{kind, name})
	if err != nil {
		return nil // strings have no way to fail
	}
	return key
}

// RulesKey returns the key of the text of some rules in the control topic, by their
// hash.
func RulesKey(hash string) []byte { return ControlKey(rulesKind, hash) }

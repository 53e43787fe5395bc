package schemas

import "encoding/json"

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

// rulesKind is the kind of a record that has the text of some rules.
const rulesKind = "rules"

// RulesKey returns the key of the text of some rules in the control topic, by their
// hash.
func RulesKey(hash string) []byte { return ControlKey(rulesKind, hash) }

// IsRulesKey tells whether a key of the control topic is that of some rules' text.
func IsRulesKey(key []byte) bool {
	k, ok := parseControlKey(key)
	return ok && k.Kind == rulesKind
}

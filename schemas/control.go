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

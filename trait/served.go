package trait

import "bytes"

// Served tells whether a user was really shown the treatment (S4). An SDK that
// could not evaluate reports control, or the application's fallback, and tells
// why in the label; such a label counts whatever the treatment. A nil label is
// absent.
func Served(treatment, label []byte) bool {
	if string(treatment) == "control" || bytes.HasPrefix(label, []byte("fallback - ")) {
		return false
	}
	switch string(label) {
	case "not ready", "definition not found", "exception", "targeting rule type unsupported by sdk",
		"matcher not found", "archived":
		return false
	}
	return true
}

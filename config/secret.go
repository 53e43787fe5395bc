package config

import (
	"fmt"
	"log/slog"
)

// Secret is a text that is not shown, however it is printed, logged or encoded:
// only a conversion to string does.
type Secret string

const hidden = "***"

// Format prints stars, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, hidden) }

// LogValue returns stars.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns stars, or nothing for nothing.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte(hidden), nil
}

package impression

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCalendar holds times of some days, some with a byte changed, against the
// reader that knows all of RFC 3339.
func TestCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c calendar
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			at := firstTime + rapid.Int64Range(0, 3*24*60*60*1000).Draw(t, "ms")
			b := []byte(time.UnixMilli(at).UTC().Format(usualTime))
			if rapid.Bool().Draw(t, "changed") {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "place")] = rapid.SampledFrom([]byte("0123456789:.-TtZz/ \xff")).Draw(t, "byte")
			}
			want, good := parseRFC3339(b)
			if got, ok := c.time(b); ok && (!good || got != want) {
				t.Fatalf("%q: %d, want %d (%t)", b, got, want, good)
			}
			if !good || want < firstTime {
				continue
			}
			c.turn(b, want)
			if got, ok := c.time(b); b[10] == 'T' && b[23] == 'Z' && (!ok || got != want) {
				t.Fatalf("%q: %d, want %d, of the day of the calendar", b, got, want)
			}
		}
	})
}

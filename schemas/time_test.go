package schemas

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func checkTime(t rapid.TB, ms int64) {
	t.Helper()
	got, want := string(appendTime([]byte("x"), ms)), "x"+time.UnixMilli(ms).UTC().Format(timeLayout)
	if got != want {
		t.Fatalf("%d ms: %q, want %q", ms, got, want)
	}
}

// A time is written as the library writes it.
func TestAppendTime(t *testing.T) {
	const end = plainDays * msPerDay // of the year 9999
	for _, ms := range []int64{0, -1, 1, end - 1, end, 1<<63 - 1, -1 << 63} {
		checkTime(t, ms)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkTime(t, rapid.OneOf(rapid.Int64Range(0, 4e12), rapid.Int64Range(0, end), rapid.Int64()).Draw(t, "ms"))
	})
}

// Each day of the years of four digits has its date.
func TestAppendTimeOfEachDay(t *testing.T) {
	for day := range int64(plainDays) {
		checkTime(t, day*msPerDay+day%msPerDay)
	}
}

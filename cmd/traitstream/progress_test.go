package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Where there is no terminal a line comes every five seconds at most.
func TestProgressIsLogged(t *testing.T) {
	var logged bytes.Buffer
	now := time.UnixMilli(0)
	p := &progress{
		what: "importing", screen: &screen{errs: &logged}, now: func() time.Time { return now }, logged: now,
		log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	}
	for range 24 {
		now = now.Add(500 * time.Millisecond)
		p.update("a.jsonl", now.UnixMilli(), 12_000)
	}
	p.printf("a.jsonl:1: malformed\n")
	now = now.Add(time.Minute)
	p.update("-", 3<<20, 0)
	p.close()
	want := `level=INFO msg=importing file=a.jsonl read="4.9 KiB" of="11.7 KiB"
level=INFO msg=importing file=a.jsonl read="9.8 KiB" of="11.7 KiB"
a.jsonl:1: malformed
level=INFO msg=importing file=- read="3.0 MiB"
`
	if logged.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &logged, want)
	}
}

func TestProgressCountsBytes(t *testing.T) {
	p := &progress{screen: &screen{}, now: time.Now, logged: time.Now()}
	for _, u := range []struct {
		file       string
		done, want int64
	}{
		{"a", 10, 10}, {"a", 25, 25}, {"b", 5, 30}, {"b", 7, 32}, {"b", 4, 36}, {"a", 1, 37},
	} {
		p.update(u.file, u.done, 100)
		if got := p.bytes(); got != u.want {
			t.Errorf("%s at %d: %d bytes, want %d", u.file, u.done, got, u.want)
		}
	}
}

// On a terminal there is a bar for each file, and lines stand above it.
func TestProgressBar(t *testing.T) {
	var terminal output
	p := &progress{what: "importing", screen: &screen{errs: &terminal, terminal: true}}
	p.update("folder/a\x1b.jsonl", 512, 1024)
	shown := func(text string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for !strings.Contains(terminal.String(), text) {
			if time.Now().After(deadline) {
				t.Fatalf("%q is not shown: %.1000q", text, terminal.String())
			}
			p.update(p.file, p.done, 1024)
		}
	}
	shown(`importing a\x1b.jsonl [`)
	shown("512.0 b / 1.0 KiB")
	p.printf("a.jsonl:1: malformed\n")
	p.update("folder/a\x1b.jsonl", 1024, 1024)
	p.update("-", 2048, 0)
	shown("importing -  2.0 KiB")
	p.close()
	p.close()
	if !strings.Contains(terminal.String(), "a.jsonl:1: malformed\n") {
		t.Errorf("the line is not shown: %q", terminal.String())
	}
	p.printf("after the end\n")
	if !strings.HasSuffix(terminal.String(), "after the end\n") {
		t.Error("nothing is written after the end")
	}
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 1 << 60: "1048576.0 TiB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestHumanDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		12345678: "12ms", 1234567890: "1.23s", 61*time.Second + 400*time.Millisecond: "1m1s",
	} {
		if got := humanDuration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

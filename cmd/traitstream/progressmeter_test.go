package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// countUp is a look that counts up to a total by one each time.
func countUp(total int64) func() (reading, bool) {
	done := int64(0)
	return func() (reading, bool) {
		done++
		return reading{
			done: done, total: total, doing: "counting", words: fmt.Sprintf("%d of %d things", done, total),
			attributes: []any{"done", done},
		}, done <= total
	}
}

// Where there is no terminal, work that takes long is told every five seconds.
func TestMeterLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		m := &meter{what: "counting", screen: &screen{errs: &logged}, now: time.Now, log: slog.New(slog.NewTextHandler(&logged, nil))}
		err := m.during(t.Context(), countUp(120), func() error {
			<-time.After(time.Minute)
			return context.Canceled
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// Twelve seconds of work, and the first look comes after a tenth of one.
		for _, want := range []string{"done=51\n", "done=101\n"} {
			if !strings.Contains(logged.String(), "msg=counting "+want) {
				t.Errorf("%q is not logged: %s", want, &logged)
			}
		}
		if n := strings.Count(logged.String(), "\n"); n != 2 {
			t.Errorf("%d lines, want 2: %s", n, &logged)
		}
	})
}

// On a terminal there is a bar while work goes on that takes more than a
// second; it goes with it, and lines stand above it.
func TestMeterBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal output
		s := &screen{errs: &terminal, terminal: true}
		m := &meter{what: "counting", screen: s, now: time.Now, log: slog.New(slog.NewTextHandler(s, nil))}
		err := m.during(t.Context(), countUp(30), func() error {
			<-time.After(950 * time.Millisecond)
			m.log.Info("early")
			if shown := terminal.String(); strings.Contains(shown, "counting") || !strings.HasSuffix(shown, "msg=early\n") {
				t.Errorf("within a second: %q", shown)
			}
			<-time.After(1050 * time.Millisecond)
			m.log.Info("in between")
			<-time.After(time.Second)
			for _, want := range []string{"counting [", "20 of 30 things", "msg=\"in between\"\n"} {
				if !strings.Contains(terminal.String(), want) {
					t.Errorf("%q is not shown: %q", want, terminal.String())
				}
			}
			<-time.After(time.Second)
			m.log.Info("late")
			if shown := terminal.String(); !strings.HasSuffix(shown, "msg=late\n") {
				t.Errorf("after the work: %q", shown)
			}
			return nil
		})
		if err != nil || m.bar != nil || s.bars != nil {
			t.Errorf("the bar is left: %v", err)
		}
	})
}

// A bar goes too when its work is stopped in the middle.
func TestMeterBarGoesWithTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal output
		s := &screen{errs: &terminal, terminal: true}
		m := &meter{what: "counting", screen: s, now: time.Now}
		ctx, stop := context.WithCancel(t.Context())
		err := m.during(ctx, countUp(1000), func() error {
			<-time.After(3 * time.Second)
			stop()
			synctest.Wait()
			if s.bars != nil {
				t.Error("the bar is left when all is to stop")
			}
			return nil
		})
		if err != nil || !strings.Contains(terminal.String(), "counting [") {
			t.Errorf("got %v, shown %q", err, terminal.String())
		}
	})
}

func TestHumanCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1.0 k", 1_249: "1.2 k", 999_949: "999.9 k", 999_950: "1.0 M", 4_400_000: "4.4 M", 1 << 60: "1152921.5 T",
	} {
		if got := humanCount(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestHumanWait(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", time.Nanosecond: "1 s", time.Second: "1 s", 59*time.Second + 1: "1 min",
		192 * time.Second: "3 min 12 s", 2*time.Hour + 5*time.Minute + 59*time.Second: "2 h 5 min",
		24 * time.Hour: "1 d", 75*time.Hour + 59*time.Minute: "3 d 3 h",
	} {
		if got := humanWait(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// Work that follows other work begins at nothing, though less is to be done of it.
func TestMeterBarBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal output
		s := &screen{errs: &terminal, terminal: true}
		m := &meter{what: "counting", screen: s, now: time.Now}
		began := time.Now()
		look := func() (reading, bool) {
			if time.Since(began) < 3*time.Second {
				return reading{done: 50, total: 100, doing: "half ", words: "."}, true
			}
			return reading{done: 0, total: 2, doing: "nothing ", words: "."}, true
		}
		if err := m.during(t.Context(), look, func() error { <-time.After(5 * time.Second); return nil }); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(terminal.String()) {
			if strings.Contains(line, "nothing") && strings.Contains(line, "=") {
				t.Errorf("shown: %q", line)
			}
		}
		if !strings.Contains(terminal.String(), "half  [===") || !strings.Contains(terminal.String(), "nothing  [---") {
			t.Errorf("shown: %q", terminal.String())
		}
	})
}

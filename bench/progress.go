package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows how far long work is: in place on a terminal, a line each ten
// seconds elsewhere.
type progress struct {
	what  string
	began time.Time
	shown time.Time
	every time.Duration
	end   func()
}

func newProgress(what string) *progress {
	p := &progress{what: what, began: time.Now(), shown: time.Now(), every: 10 * time.Second, end: func() {}}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.every = 100 * time.Millisecond
		p.end = func() { fmt.Fprint(os.Stderr, "\r\x1b[K") }
	}
	return p
}

func (p *progress) at(done, all int64) {
	now := time.Now()
	if now.Sub(p.shown) < p.every {
		return
	}
	p.shown = now
	rate := float64(done) / now.Sub(p.began).Seconds()
	left := time.Duration(float64(all-done) / rate * float64(time.Second)).Round(time.Second)
	p.end()
	fmt.Fprintf(os.Stderr, "%s: %3.0f %%, %s/s, %s left", p.what, 100*float64(done)/float64(all), count(rate), left)
	if p.every > time.Second {
		fmt.Fprintln(os.Stderr)
	}
}

// count writes a number as people read it.
func count(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2f M", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0f k", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	// lookInterval is how often a meter looks.
	lookInterval = 100 * time.Millisecond
	// meterPatience is how long work goes on without a bar: what is soon done
	// would only flicker.
	meterPatience = time.Second
)

// meter shows how far work is that is counted: a bar on a terminal, a log line
// now and then elsewhere.
type meter struct {
	what   string
	screen *screen
	log    *slog.Logger
	now    func() time.Time

	began  time.Time // of the work that is under way; zero: there is none
	logged time.Time
	bar    *mpb.Bar
	shown  atomic.Pointer[reading] // read by the bar
}

// reading is how far work is.
type reading struct {
	done, total int64
	doing       string // stands before the bar
	words       string // stand behind it
	attributes  []any  // of the log line
}

func (m *Main) newMeter(what string, s *screen) *meter {
	return &meter{what: what, screen: s, log: m.logger(s), now: time.Now}
}

// during shows how far do is while it runs. What look returns false for is no
// work to be shown.
func (m *meter) during(ctx context.Context, look func() (reading, bool), do func() error) error {
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { m.follow(watch, look) })
	defer watching.Wait()
	defer stop()
	return do()
}

// follow shows what look returns until ctx ends.
func (m *meter) follow(ctx context.Context, look func() (reading, bool)) {
	defer m.clear()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if r, ok := look(); ok {
			m.show(r)
		} else {
			m.clear()
		}
	}
}

// show shows how far the work is, unless it has only just begun.
func (m *meter) show(r reading) {
	now := m.now()
	if m.began.IsZero() {
		m.began, m.logged = now, now
	}
	switch {
	case !m.screen.terminal:
		if now.Sub(m.logged) >= logInterval {
			m.logged = now
			m.log.Info(m.what, r.attributes...)
		}
	case now.Sub(m.began) >= meterPatience:
		m.draw(r)
	}
}

func (m *meter) draw(r reading) {
	m.shown.Store(&r)
	if m.bar == nil {
		// Its total may grow, and it goes by clear alone.
		m.bar = m.screen.show(0, mpb.BarStyle(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return m.shown.Load().doing })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return m.shown.Load().words })))
	}
	if r.done < m.bar.Current() { // of other work: what was done before is not to be drawn in the new total
		m.bar.SetCurrent(r.done)
	}
	m.bar.SetTotal(r.total, false)
	m.bar.SetCurrent(r.done)
}

// clear ends the work: its bar goes.
func (m *meter) clear() {
	m.began = time.Time{}
	if m.bar != nil {
		m.screen.take(m.bar)
		m.bar = nil
	}
}

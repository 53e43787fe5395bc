package main

import (
	"io"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
)

// barWidth is that of a bar without the words around it, in columns.
const barWidth = 30

// screen is standard error with a bar at its foot, while there is one: what is
// written appears above it. Several may write at a time.
type screen struct {
	errs     io.Writer
	terminal bool // bars are shown

	mu   sync.Mutex
	bars *mpb.Progress // nil while there is no bar
}

func (m *Main) newScreen() *screen {
	return &screen{errs: m.Stderr, terminal: isTerminal(m.Stderr) && os.Getenv("TERM") != "dumb"}
}

// Write shows lines without disturbing the bar.
func (s *screen) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars == nil {
		return s.errs.Write(lines)
	}
	return s.bars.Write(lines)
}

// show adds a bar that goes when it is taken away and not before. A total of 0
// is one that is not known, or not known yet.
func (s *screen) show(total int64, style mpb.BarFillerBuilder, options ...mpb.BarOption) *mpb.Bar {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars == nil {
		s.bars = mpb.New(mpb.WithOutput(s.errs), mpb.WithAutoRefresh())
	}
	return s.bars.New(total, style, append(options, mpb.BarRemoveOnComplete(), mpb.BarWidth(barWidth))...)
}

// take takes the bar away.
func (s *screen) take(bar *mpb.Bar) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bar.Abort(true)
	s.bars.Wait()
	s.bars = nil
}

package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// logInterval is how often progress is logged where there is no terminal.
const logInterval = 5 * time.Second

// progress shows how far the reading of files is: a bar for each file on a
// terminal, a log line now and then elsewhere.
type progress struct {
	log    *slog.Logger
	what   string
	screen *screen
	now    func() time.Time
	logged time.Time
	bar    *mpb.Bar // of the file that is read
	file   string
	done   int64 // bytes of it
	before int64 // bytes of the files before
}

func (m *Main) newProgress(what string) *progress {
	s := m.newScreen()
	return &progress{what: what, log: m.logger(s), screen: s, now: time.Now, logged: time.Now()}
}

// update takes the bytes of a file that were read; total is 0 where it is not
// known.
func (p *progress) update(file string, done, total int64) {
	next := file != p.file || done < p.done
	if next {
		p.before += p.done
	}
	p.file, p.done = file, done
	if !p.screen.terminal {
		p.tell(total)
		return
	}
	if next {
		p.close()
		p.bar = p.newBar(total)
	}
	p.bar.SetCurrent(done)
}

// tell logs now and then.
func (p *progress) tell(total int64) {
	now := p.now()
	if now.Sub(p.logged) < logInterval {
		return
	}
	p.logged = now
	attributes := []any{"file", p.file, "read", humanBytes(p.done)}
	if total > 0 {
		attributes = append(attributes, "of", humanBytes(total))
	}
	p.log.Info(p.what, attributes...)
}

func (p *progress) newBar(total int64) *mpb.Bar {
	name := mpb.PrependDecorators(decor.Name(p.what + " " + printable(filepath.Base(p.file))))
	speed := decor.AverageSpeed(decor.SizeB1024(0), "% .1f")
	if total == 0 {
		return p.screen.show(0, mpb.NopStyle(), name,
			mpb.AppendDecorators(decor.CurrentKibiByte("% .1f"), decor.Name("  "), speed))
	}
	return p.screen.show(total, mpb.BarStyle(), name,
		mpb.AppendDecorators(
			decor.CountersKibiByte("% .1f / % .1f"), decor.Name("  "), speed,
			decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
}

// printf shows a line. That standard error is closed can't be told anywhere.
func (p *progress) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.screen, format, args...)
}

// ignored tells of a file that was left out.
func (p *progress) ignored(file string) {
	p.printf("%s: by its name it holds no impressions, left out\n", printable(file))
}

// bytes returns how many were read in all.
func (p *progress) bytes() int64 { return p.before + p.done }

// close takes the bar away. Further calls do nothing.
func (p *progress) close() {
	if p.bar != nil {
		p.screen.take(p.bar)
		p.bar = nil
	}
}

package main

import (
	"log/slog"
	"os"
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
	bars   *mpb.Progress // nil where there is no terminal
	bar    *mpb.Bar
	file   string
	logged time.Time
}

func (m *Main) newProgress(what string) *progress {
	p := &progress{what: what, log: m.logger(), logged: time.Now()}
	if isTerminal(m.Stderr) && os.Getenv("TERM") != "dumb" {
		p.bars = mpb.New(mpb.WithOutput(m.Stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	}
	return p
}

// update takes the bytes of a file that were read; total is 0 where it is not
// known.
func (p *progress) update(file string, done, total int64) {
	if p.bars == nil {
		if time.Since(p.logged) >= logInterval {
			p.logged = time.Now()
			p.log.Info(p.what, "file", file, "read", humanBytes(done), "of", humanBytes(total))
		}
		return
	}
	if p.bar == nil || p.file != file {
		p.finish()
		p.file, p.bar = file, p.newBar(file, total)
	}
	p.bar.SetCurrent(done)
}

func (p *progress) newBar(file string, total int64) *mpb.Bar {
	return p.bars.AddBar(total,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(p.what+" "+printable(file)+" ")),
		mpb.AppendDecorators(
			decor.CountersKibiByte("% .1f / % .1f"),
			decor.Name("  "), decor.AverageSpeed(decor.SizeB1024(0), "% .1f"),
			decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
}

// finish ends the bar that is shown.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar = nil
	}
}

// close takes the bars away.
func (p *progress) close() {
	p.finish()
	if p.bars != nil {
		p.bars.Wait()
	}
}

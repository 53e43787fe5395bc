package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// logInterval is how often progress is logged where there is no terminal.
const logInterval = 5 * time.Second

// barWidth is that of a bar without the words around it, in columns.
const barWidth = 30

// progress shows how far the reading of files is: a bar for each file on a
// terminal, a log line now and then elsewhere. What is written to it appears on
// standard error, above the bar.
type progress struct {
	log    *slog.Logger
	what   string
	errs   io.Writer
	now    func() time.Time
	logged time.Time
	bars   *mpb.Progress // nil where there is no terminal
	bar    *mpb.Bar      // of the file that is read
	file   string
	done   int64 // bytes of it
	before int64 // bytes of the files before
}

func (m *Main) newProgress(what string) *progress {
	p := &progress{what: what, log: m.logger(), errs: m.Stderr, now: time.Now, logged: time.Now()}
	if isTerminal(m.Stderr) && os.Getenv("TERM") != "dumb" {
		p.bars = newBars(m.Stderr)
	}
	return p
}

func newBars(w io.Writer) *mpb.Progress {
	return mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh())
}

// update takes the bytes of a file that were read; total is 0 where it is not
// known.
func (p *progress) update(file string, done, total int64) {
	next := file != p.file || done < p.done
	if next {
		p.before += p.done
	}
	p.file, p.done = file, done
	if p.bars == nil {
		p.tell(total)
		return
	}
	if next {
		p.finish()
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
		return p.bars.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(), name,
			mpb.AppendDecorators(decor.CurrentKibiByte("% .1f"), decor.Name("  "), speed))
	}
	return p.bars.AddBar(total, mpb.BarRemoveOnComplete(), mpb.BarWidth(barWidth), name,
		mpb.AppendDecorators(
			decor.CountersKibiByte("% .1f / % .1f"), decor.Name("  "), speed,
			decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
}

// Write shows lines without disturbing the bar.
func (p *progress) Write(lines []byte) (int, error) {
	if p.bars == nil {
		return p.errs.Write(lines)
	}
	return p.bars.Write(lines)
}

// printf shows a line. That standard error is closed can't be told anywhere.
func (p *progress) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format, args...)
}

// ignored tells of a file that was left out.
func (p *progress) ignored(file string) {
	p.printf("%s: by its name it holds no impressions, left out\n", printable(file))
}

// bytes returns how many were read in all.
func (p *progress) bytes() int64 { return p.before + p.done }

// finish ends the bar that is shown.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar = nil
	}
}

// close takes the bars away. Further calls do nothing.
func (p *progress) close() {
	p.finish()
	if p.bars != nil {
		p.bars.Wait()
		p.bars = nil
	}
}

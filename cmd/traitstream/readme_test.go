package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// testCommand is the one command of the README that a test can't run.
const testCommand = "go test ./..."

// block is a fenced block of a page.
type block struct{ language, text string }

func readme(t *testing.T) (text string, blocks []block) {
	t.Helper()
	return pageBlocks(t, "README.md")
}

// pageBlocks returns a page and its blocks.
func pageBlocks(t *testing.T, name string) (text string, blocks []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	fenced := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	for _, m := range fenced.FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return string(data), blocks
}

func TestReadmeIsShortAndItsLinksLead(t *testing.T) {
	text, _ := readme(t)
	if lines := strings.Count(text, "\n"); lines > 100 {
		t.Errorf("the README has %d lines", lines)
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) == 0 {
		t.Error("no links")
	}
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(root, link[1])); err != nil {
			t.Error(err)
		}
	}
}

// The checks run the command that the README names.
func TestReadmeNamesTheTestCommand(t *testing.T) {
	text, _ := readme(t)
	if lines := regexp.MustCompile(`(?m)^go test .*$`).FindAllString(text, -1); !slices.Equal(lines, []string{testCommand}) {
		t.Errorf("the test commands are %q", lines)
	}
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "grep -m 1 -x 'go test .*' README.md") {
		t.Error(".ci/run does not take its test command from the README")
	}
}

// Every block of the README is run, from top to bottom, and gives what stands
// below it.
func TestReadmeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the program, where the race detector sees nothing")
	}
	_, blocks := readme(t)
	ran := newReader(t).follow(blocks)
	if ran["yaml"] < 2 || ran["sh"] < 4 || ran["text"] < 2 {
		t.Errorf("ran %v blocks only", ran)
	}
}

// So is every block of the page on replays.
func TestReplayPageRuns(t *testing.T) {
	ran := pageRuns(t, "docs/replay.md")
	if ran["yaml"] != 1 || ran["sh"] < 5 || ran["text"] < 4 {
		t.Errorf("ran %v blocks only", ran)
	}
}

// And of the page on definitions, which are changed on the way.
func TestDefinitionsPageRuns(t *testing.T) {
	ran := pageRuns(t, "docs/definitions.md")
	if ran["yaml"] != 2 || ran["sh"] < 7 || ran["text"] < 6 {
		t.Errorf("ran %v blocks only", ran)
	}
}

// pageRuns does what a page says, whose program was built in the folder of its
// commands, and counts its blocks by language. Its links must lead somewhere.
func pageRuns(t *testing.T, page string) map[string]int {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and runs the program, where the race detector sees nothing")
	}
	text, blocks := pageBlocks(t, page)
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, "docs", link[1])); err != nil {
			t.Error(err)
		}
	}
	r := newReader(t)
	r.run("go build ./cmd/traitstream", "")
	return r.follow(blocks)
}

// follow does what the blocks say, from top to bottom, and counts them by language.
func (r *reader) follow(blocks []block) map[string]int {
	r.t.Helper()
	ran := map[string]int{}
	for i, b := range blocks {
		ran[b.language]++
		switch b.language {
		case "yaml":
			r.configure(b.text)
		case "sh":
			want := ""
			if i+1 < len(blocks) && blocks[i+1].language == "text" {
				want = blocks[i+1].text
			}
			r.run(b.text, want)
		case "text":
			if i == 0 || blocks[i-1].language != "sh" {
				r.t.Errorf("no command gives %s", b.text)
			}
		default:
			r.t.Errorf("nobody checks blocks of %q", b.language)
		}
	}
	r.stop()
	return ran
}

// reader does what the README says, in a folder of its own and at addresses
// that are free.
type reader struct {
	t            *testing.T
	dir, program string
	broker, http string
	started      *exec.Cmd // the command that goes on in a terminal of its own
	job          string    // the replay that was begun last, which a page calls JOB
	stderr       output
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir(), program: buildProgram(t), broker: freeAddress(t), http: freeAddress(t)}
	sample := filepath.Join("cmd", "traitstream", "sample")
	if err := os.CopyFS(filepath.Join(r.dir, sample), os.DirFS("sample")); err != nil {
		t.Fatal(err)
	}
	return r
}

// configure keeps a configuration, whose first line names its file, and
// validates it.
func (r *reader) configure(text string) {
	r.t.Helper()
	name := regexp.MustCompile(`^# (\w+\.yaml)\b`).FindStringSubmatch(text)
	if name == nil {
		r.t.Fatalf("the first line does not name the file: %s", text)
	}
	write(r.t, r.dir, name[1], text)
	r.execute(r.program+" validate -c "+name[1], "")
}

// run runs commands, the last of which has to print what is wanted.
func (r *reader) run(commands, want string) {
	r.t.Helper()
	lines := strings.Split(strings.TrimSpace(commands), "\n")
	for i, line := range lines {
		wanted := ""
		if i == len(lines)-1 || line == "go run ./cmd/traitstream demo" {
			wanted = want
		}
		switch {
		case line == testCommand: // this is what it runs
		case strings.HasPrefix(line, "kcat ") && !r.hasKcat():
		case strings.HasSuffix(line, "run --embedded"):
			r.start(line)
		default:
			r.execute(line, wanted)
		}
	}
}

func (r *reader) hasKcat() bool {
	_, err := exec.LookPath("kcat")
	if err != nil && os.Getenv("CI") != "" {
		r.t.Fatal("kcat is not installed")
	}
	return err == nil
}

// command returns a line of shell as it runs here.
func (r *reader) command(ctx context.Context, line string) *exec.Cmd {
	line = strings.NewReplacer(
		"go build ./cmd/traitstream", "cp "+r.program+" .",
		"go run ./cmd/traitstream", r.program,
		"run --embedded", "run --embedded --embedded-listen "+r.broker,
		"127.0.0.1:9092", r.broker,
		" JOB", " "+r.job,
	).Replace(line)
	c := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
	c.Dir = r.dir
	c.Env = append(os.Environ(), "KAFKA_PASSWORD=secret", "TRAITSTREAM_KAFKA_BROKERS="+r.broker, "TRAITSTREAM_HTTP_LISTEN="+r.http)
	return c
}

// start starts a command that does not end by itself, and waits until it is
// ready.
func (r *reader) start(line string) {
	r.t.Helper()
	r.started = r.command(context.WithoutCancel(r.t.Context()), line)
	r.started.Stderr = &r.stderr
	if err := r.started.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if r.started != nil {
			_ = r.started.Process.Kill() // it may be gone
			_ = r.started.Wait()
		}
	})
	r.await("is ready", func() string {
		if get(r.http, "/readyz") != "ok\n" {
			return "not yet: " + r.stderr.String()
		}
		return ""
	})
}

// stop interrupts what was started.
func (r *reader) stop() {
	r.t.Helper()
	if r.started == nil {
		r.t.Fatal("nothing was started")
	}
	if err := r.started.Process.Signal(syscall.SIGINT); err != nil {
		r.t.Error(err)
	}
	if err := r.started.Wait(); err != nil {
		r.t.Errorf("the interrupted program ended with %v: %s", err, r.stderr.String())
	}
	r.started = nil
}

// execute runs a command, which must end well. What it is wanted to print may
// take a moment to be there, so it is run again until then.
func (r *reader) execute(line, want string) {
	r.t.Helper()
	pattern := patternOf(want)
	r.await("prints what the README says", func() string {
		c := r.command(r.t.Context(), line)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			r.t.Fatalf("%s: %v: %s", line, err, errs.String())
		}
		if id := idPattern.FindString(out.String()); id != "" && strings.Contains(line, "replay start") {
			r.job = id
		}
		if want != "" && !pattern.MatchString(out.String()) {
			return fmt.Sprintf("%s prints\n%s", line, out.String())
		}
		return ""
	})
}

// patternOf returns what matches a sample of output, in which … on a line of
// its own stands for any lines, and in a line for any of it.
func patternOf(sample string) *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(sample) {
		if line == "…\n" {
			b.WriteString("(?:.*\n)*")
		} else {
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
		}
	}
	return regexp.MustCompile("^" + b.String() + "$")
}

// await waits until a check has nothing to complain of.
func (r *reader) await(what string, check func() (complaint string)) {
	r.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		select {
		case <-deadline.C:
			r.t.Fatalf("waited in vain until it %s: %s", what, complaint)
		case <-tick.C:
		}
	}
}

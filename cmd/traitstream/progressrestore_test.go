package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"traitstream/processor"
)

// restoredTasks are tasks of a process under a clock that a test moves.
type restoredTasks struct {
	now   time.Time
	tasks []processor.TaskStatus
}

func newRestoredTasks() (*restoredTasks, *restoration) {
	f := &restoredTasks{now: time.UnixMilli(1_772_446_530_000)}
	r := newRestoration(func() []processor.TaskStatus { return f.tasks })
	r.now = func() time.Time { return f.now }
	return f, r
}

// What is done counts on until all tasks are restored, so that nothing goes
// back; then it is forgotten.
func TestRestorationNeverGoesBack(t *testing.T) {
	f, r := newRestoredTasks()
	since := f.now
	going := func(task int32, done, total int64) processor.TaskStatus {
		return processor.TaskStatus{Task: task, Restored: done, Total: total, Since: since}
	}
	ready := func(task int32) processor.TaskStatus { return processor.TaskStatus{Task: task, Ready: true} }
	waiting := func(task int32) processor.TaskStatus { return processor.TaskStatus{Task: task} }
	for _, c := range []struct {
		tasks []processor.TaskStatus
		want  string
	}{
		{nil, "restoring 0 of 0 tasks"},
		{[]processor.TaskStatus{waiting(0), waiting(1)}, "restoring 2 of 2 tasks"},
		{[]processor.TaskStatus{going(0, 0, 3000), going(1, 0, 1000)}, "restoring 2 of 2 tasks: 0 of 4.0 k offsets"},
		{[]processor.TaskStatus{going(0, 1500, 3000), going(1, 500, 1000)}, "restoring 2 of 2 tasks: 2.0 k of 4.0 k offsets, about 3 s left"},
		// One has ended, then the loop has it; another has come.
		{[]processor.TaskStatus{going(0, 1500, 3000), waiting(1)}, "restoring 2 of 2 tasks: 2.5 k of 4.0 k offsets, about 3 s left"},
		{[]processor.TaskStatus{going(0, 2000, 3000), ready(1), waiting(2)}, "restoring 2 of 3 tasks: 3.0 k of 4.0 k offsets, about 2 s left"},
		// One has gone to another process.
		{[]processor.TaskStatus{going(0, 2900, 3000), ready(2)}, "restoring 1 of 2 tasks: 2.9 k of 3.0 k offsets, about 1 s left"},
		{[]processor.TaskStatus{ready(0), ready(2)}, "restoring 0 of 2 tasks"},
		{[]processor.TaskStatus{ready(0), going(2, 1, 2)}, "restoring 1 of 2 tasks: 1 of 2 offsets, about 8 s left"},
	} {
		f.tasks = c.tasks
		if _, s := r.look(); s.sentence() != c.want {
			t.Errorf("after %s: %q, want %q", f.now.Sub(since), s.sentence(), c.want)
		}
		f.now = f.now.Add(time.Second)
	}
}

// Of the tasks that are restored nothing is left when a new restore begins: its
// rate is its own.
func TestRestorationBeginsAnew(t *testing.T) {
	f, r := newRestoredTasks()
	f.tasks = []processor.TaskStatus{{Task: 0, Restored: 1, Total: 1_000_000, Since: f.now}}
	r.look()
	f.tasks = []processor.TaskStatus{{Task: 0, Ready: true}}
	r.look()
	f.now = f.now.Add(time.Hour)
	f.tasks = append(f.tasks, processor.TaskStatus{Task: 1, Restored: 20, Total: 100, Since: f.now.Add(-2 * time.Second)})
	read, ok := r.reading()
	want := `[tasks 1 owned 2 done 20 of 100 per_second 10 left 8 s]`
	if got := fmt.Sprint(read.attributes); !ok || got != want || read.done != 20 || read.total != 100 {
		t.Errorf("got %s, %d of %d, want %s", got, read.done, read.total, want)
	}
	if read.doing != "restoring 1 of 2 tasks" || read.words != "20 of 100 offsets  10/s  8 s left" {
		t.Errorf("got %q, %q", read.doing, read.words)
	}
}

// /readyz says how far it is; /status says it of each task.
func TestRestorationOverHTTP(t *testing.T) {
	f, r := newRestoredTasks()
	isReady := false
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		ready(w, isReady, r)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	if code, text := ask(); code != http.StatusServiceUnavailable || text != "waiting for the group to give out the tasks" {
		t.Errorf("without tasks: %d %q", code, text)
	}
	f.tasks = []processor.TaskStatus{
		{Task: 1, Worker: 1, Ready: true},
		{Task: 3, Restored: 1_200_000, Total: 4_400_000, Since: f.now.Add(-4 * time.Second)},
		{Task: 5, Total: 7, Since: f.now.Add(-4 * time.Second)},
	}
	want := "restoring 2 of 3 tasks: 1.2 M of 4.4 M offsets, about 11 s left"
	if code, text := ask(); code != http.StatusServiceUnavailable || text != want {
		t.Errorf("while restoring: %d %q, want %q", code, text, want)
	}
	page := httptest.NewRecorder()
	statusHandler("0123456789abcdef", func() bool { return isReady }, r).ServeHTTP(page, nil)
	want = fmt.Sprintf(`{"version":%q,"instance":"0123456789abcdef","ready":false,"since":"2026-03-02T10:15:30Z","tasks":[`+
		`{"task":1,"worker":1,"state":"running","restored":0,"total":0,"per_second":0,"seconds_left":null},`+
		`{"task":3,"worker":0,"state":"restoring","restored":1200000,"total":4400000,"per_second":300000,"seconds_left":10.666666666},`+
		`{"task":5,"worker":0,"state":"restoring","restored":0,"total":7,"per_second":0,"seconds_left":null}]}`+"\n", version())
	if page.Body.String() != want || page.Header().Get("Content-Type") != "application/json" {
		t.Errorf("/status is\n%swant\n%s", page.Body, want)
	}
	isReady = true
	if code, text := ask(); code != http.StatusOK || text != "ok" {
		t.Errorf("when ready: %d %q", code, text)
	}
}

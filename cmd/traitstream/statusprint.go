package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// printStatus prints a report: a table and what is below it, or a line for each
// task and one for all.
func (m *Main) printStatus(r *statusReport) error {
	if m.format == "json" {
		for _, t := range r.tasks {
			if err := m.printJSON(t); err != nil {
				return err
			}
		}
		return m.printJSON(r)
	}
	if r.looked {
		if err := m.printTasks(r); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(m.Stdout, r.summary()); err != nil {
		return err
	}
	if err := m.printBeyond(r.Beyond); err != nil || r.Letters == nil {
		return err
	}
	return m.printLetters(r.Letters)
}

func (m *Main) printTasks(r *statusReport) error {
	t := table{right: map[int]bool{0: true, 3: true}, paint: m.painter()}
	t.add("TASK", "OWNER", "STATE", "LAG", "BEHIND")
	for i := range r.tasks {
		task := &r.tasks[i]
		t.add(strconv.Itoa(int(task.Task)), task.ownerText(), task.stateText(), humanCount(task.LagRecords), task.behind())
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintln(m.Stdout)
	return err
}

// The words of those that can't be named.
const (
	ownerNobody  = "nobody"
	ownerUnknown = "unknown"
)

func (t *taskReport) ownerText() string {
	if t.Owner == nil && t.State == stateUnknown {
		return ownerUnknown // a rebalance is under way
	}
	return t.Owner.String()
}

// String names the worker and its host; nil is nobody.
func (o *ownerReport) String() string {
	if o == nil {
		return ownerNobody
	}
	return fmt.Sprintf("%s/%d at %s", printable(o.Process), o.Worker, printable(o.Host))
}

func (t *taskReport) stateText() string {
	text := t.State
	if r := t.Restore; r != nil && r.Total > 0 {
		text += fmt.Sprintf(" %d %%", r.Restored*100/r.Total)
		if r.SecondsLeft != nil {
			text += " · " + humanWait(time.Duration(*r.SecondsLeft*float64(time.Second))) + " left"
		}
	}
	return text
}

// behind tells the lag in time.
func (l *lagReport) behind() string {
	if l.LagRecords == 0 {
		return "caught up"
	}
	return humanWait(time.Duration(l.LagSeconds * float64(time.Second)))
}

// summary tells in sentences what the table does not.
func (r *statusReport) summary() string {
	if !r.Started {
		return fmt.Sprintf("no process of %s has run yet: its topics are missing, and the first `traitstream run` creates them", r.App)
	}
	var lines []string
	if len(r.Missing) > 0 {
		lines = append(lines, fmt.Sprintf("missing, though other topics of %s are there: %s; `traitstream validate --connect` tells what run does about it",
			r.App, strings.Join(r.Missing, ", ")))
	}
	if !r.looked {
		return strings.Join(lines, "\n")
	}
	lines = append(lines, r.groupSentence())
	total := "all is processed"
	if r.LagRecords > 0 {
		total = fmt.Sprintf("%s records are not processed yet, the oldest of them %s old", humanCount(r.LagRecords), r.behind())
	}
	lines = append(lines, total)
	if len(r.Group.Unreached) > 0 {
		lines = append(lines, fmt.Sprintf("not reached over HTTP: %s; whether their tasks are restored is not known "+
			"(set http.advertise to an address that can be reached from here)", printable(strings.Join(r.Group.Unreached, ", "))))
	}
	return strings.Join(lines, "\n")
}

// groupSentence tells who is there.
func (r *statusReport) groupSentence() string {
	g := &r.Group
	workers := plural(g.Workers, "worker", "workers")
	switch {
	case g.Workers == 0:
		return fmt.Sprintf("nobody is in group %s: start a process with `traitstream run`", r.App)
	case g.State == groupPreparing, g.State == groupCompleting:
		return fmt.Sprintf("group %s is rebalancing with %s; who has which task is told when it has ended", r.App, workers)
	}
	return fmt.Sprintf("group %s is %s: %s with %s, %d of %d tasks owned", r.App, strings.ToLower(printable(g.State)),
		plural(g.Processes, "process", "processes"), workers, r.Owned, r.Count)
}

func plural(n int, one, more string) string {
	if n == 1 {
		more = one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// printBeyond prints the partitions that belong to no task.
func (m *Main) printBeyond(beyond []inputReport) error {
	if len(beyond) == 0 {
		return nil
	}
	t := table{right: map[int]bool{2: true}, paint: m.painter()}
	t.add("BEYOND THE TASKS", "OWNER", "LAG", "BEHIND")
	for i := range beyond {
		in := &beyond[i]
		t.add(fmt.Sprintf("%s, partition %d", in.Topic, in.Partition), in.Owner.String(), humanCount(in.LagRecords), in.behind())
	}
	if _, err := fmt.Fprintln(m.Stdout); err != nil {
		return err
	}
	return t.print(m.Stdout)
}

func (m *Main) printLetters(l *lettersReport) error {
	when := ""
	if l.Since != nil {
		when = " since " + moment(*l.Since)
	}
	if len(l.Reasons) == 0 {
		_, err := fmt.Fprintf(m.Stdout, "no dead letters%s\n", when)
		return err
	}
	t := table{right: map[int]bool{1: true}}
	t.add("DEAD LETTERS"+strings.ToUpper(when), "RECORDS")
	for _, reason := range mostFirst(l.Reasons) {
		t.add(printable(reason), strconv.FormatInt(l.Reasons[reason], 10))
	}
	if _, err := fmt.Fprintln(m.Stdout); err != nil {
		return err
	}
	return t.print(m.Stdout)
}

// painter colours what is to be seen at once; nil where colours are not wanted.
func (m *Main) painter() func(cell string) string {
	if !isTerminal(m.Stdout) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return paint
}

// paint returns the colour of a cell as the terminal's parameter, or nothing.
func paint(cell string) string {
	const red, yellow = "31", "33"
	switch {
	case cell == ownerNobody, cell == stateStopped:
		return red
	case cell == stateUnknown, strings.HasPrefix(cell, stateRestoring):
		return yellow
	}
	return ""
}

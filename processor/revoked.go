package processor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// revokedMeta is the name under which the state keeps since when a task is
// somebody else's, Unix ms. It outlives the process, so restarts don't keep
// state for ever.
func revokedMeta(task int32) string { return "revoked " + strconv.Itoa(int(task)) }

// sweep removes the state of tasks that have been elsewhere for longer than
// state.keep_revoked. Until then a task that comes back needs the changelog's
// tail alone.
func (p *Processor) sweep(ctx context.Context) error {
	kept, err := p.o.Store.Tasks()
	if err != nil {
		return err
	}
	here := p.numbers()
	for _, task := range kept {
		if err := ctx.Err(); err != nil {
			return err
		}
		if slices.Contains(here, task) {
			err = p.returned(task)
		} else {
			err = p.owners.ifFree(task, func() error { return p.expire(task) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// returned forgets that a task was elsewhere.
func (p *Processor) returned(task int32) error {
	since, err := p.o.Store.Meta(revokedMeta(task))
	if err != nil || len(since) == 0 {
		return err
	}
	return p.o.Store.SetMeta(revokedMeta(task), nil)
}

// expire removes a task's state when it is time to. Nobody owns the task.
func (p *Processor) expire(task int32) error {
	name := revokedMeta(task)
	text, err := p.o.Store.Meta(name)
	if err != nil {
		return fmt.Errorf("reading state: %w", err)
	}
	now := time.Now()
	since, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return p.o.Store.SetMeta(name, strconv.AppendInt(nil, now.UnixMilli(), 10))
	}
	if now.Sub(time.UnixMilli(since)) < p.o.Config.State.KeepRevoked {
		return nil
	}
	if err := p.o.Store.DropTask(task); err != nil {
		return fmt.Errorf("dropping task %d: %w", task, err)
	}
	p.o.Log.Info("removed the state of a task that is elsewhere", "task", task, "since", time.UnixMilli(since).UTC())
	return p.o.Store.SetMeta(name, nil)
}

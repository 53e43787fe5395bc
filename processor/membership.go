package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/kafka"
)

// inputsMeta is the name under which the state keeps the topics that the seats
// have last joined for, with their ids.
const inputsMeta = "inputs"

// takeSeats makes the process's seats its own before the group gives them
// tasks. It fences every seat that the last run had, so that nobody waits for a
// transaction that was left open. It leaves those that fewer workers don't need,
// and all of them when the sources have changed or one of the inputs was created
// again: the broker hands a static member that comes back its old assignment,
// whatever it now wants to read, and one from which a deleted topic has gone.
func (p *Processor) takeSeats(ctx context.Context) error {
	i := p.o.Instance
	seats, surplus, before := i.seats(len(p.workers)), i.surplus(len(p.workers)), slices.Clone(i.held)
	if err := i.hold(slices.Concat(seats, surplus)); err != nil {
		return err
	}
	if err := p.patiently(ctx, func() error { return p.o.fenceAll(ctx, before) }); err != nil {
		return err
	}
	kept, err := p.o.Store.Meta(inputsMeta)
	if err != nil {
		return fmt.Errorf("reading state: %w", err)
	}
	var inputs joinedInputs
	if err := p.patiently(ctx, func() (err error) { inputs, err = p.o.joinedInputs(ctx); return err }); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	last := parseInputs(string(kept))
	leaving := surplus
	if inputs.differ(last) {
		leaving = before
	}
	if len(leaving) > 0 {
		if err := p.patiently(ctx, func() error { return p.leave(ctx, leaving) }); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // the next start does the rest
	}
	if text := inputs.after(last); text != string(kept) {
		if err := p.o.Store.SetMeta(inputsMeta, []byte(text)); err != nil {
			return fmt.Errorf("writing state: %w", err)
		}
	}
	return i.hold(seats)
}

// patiently repeats what brokers that are away have failed, until ctx ends.
func (p *Processor) patiently(ctx context.Context, do func() error) error {
	for failures := 0; ; failures++ {
		err := do()
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // that the wait is given up is no failure of it
		}
		if !retriable(err) {
			return err
		}
		p.o.Log.Warn("waiting for the brokers", "error", kafka.Explain(err))
		if !sleep(ctx, backoff(failures)) {
			return nil
		}
	}
}

// leave gives up the seats of static members, which closing their clients does
// not.
func (p *Processor) leave(ctx context.Context, seats []string) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	left, err := kadm.NewClient(p.o.Client).LeaveGroup(ctx,
		kadm.LeaveGroup(p.o.Config.Group()).Reason("stopped").InstanceIDs(seats...))
	if err == nil {
		for _, r := range left {
			if r.Err != nil && !errors.Is(r.Err, kerr.UnknownMemberID) { // it never got there
				err = r.Err
			}
		}
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("leaving group %s: %w", p.o.Config.Group(), err)
	}
	return nil
}

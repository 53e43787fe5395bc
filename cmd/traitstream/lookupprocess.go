package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traitstream/config"
	"traitstream/explorer"
	"traitstream/kafka"
	"traitstream/state"
)

// processPlace is a process that runs.
type processPlace struct {
	client  explorer.Client
	address string
	user    state.User
	find    func(context.Context) (address string, err error) // nil: there is no other address
	hangUp  func()
}

// lookupTries is how often a process is asked that has no answer at the moment, as
// while a task moves, and lookupPause how long after each other.
const (
	lookupTries = 4
	lookupPause = time.Second
)

// findProcess finds the process that has the user's task, or another one that
// passes questions on.
func findProcess(ctx context.Context, cfg *config.Config, u state.User) (_ *processPlace, err error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &processPlace{client: explorer.Client{Token: string(cfg.HTTP.Token)}, user: u, hangUp: conn.client.Close}
	defer func() {
		if err != nil {
			conn.client.Close()
		}
	}()
	inbox := cfg.InboxTopic()
	found, err := kafka.Describe(ctx, conn.client, inbox)
	if err != nil {
		return nil, err
	}
	topic, ok := found[inbox]
	if !ok {
		return nil, fmt.Errorf("no process of %s has run yet: topic %s does not exist, run creates it", cfg.App, inbox)
	}
	task := kafka.Partition([]byte(u.ID), topic.Partitions)
	p.find = func(ctx context.Context) (string, error) {
		g, err := settledGroup(ctx, conn.client, cfg.Group())
		if err != nil {
			return "", err
		}
		return g.addressFor(ctx, inbox, task)
	}
	p.address, err = p.find(ctx)
	return p, err
}

// addressFor returns where to ask for a task: its owner, or any other that answers.
func (g *membership) addressFor(ctx context.Context, inbox string, task int32) (string, error) {
	owner, err := g.ownerOf(inbox, task)
	if err != nil {
		return "", fmt.Errorf("task %d, which is the user's: %w", task, err)
	}
	if err = owner.reach(ctx); err == nil {
		return owner.HTTP, nil
	}
	tried := map[string]bool{owner.Process: true}
	for _, m := range g.members {
		if !tried[m.Process] && m.reach(ctx) == nil {
			return m.HTTP, nil
		}
		tried[m.Process] = true
	}
	return "", fmt.Errorf("the process that has task %d, which is the user's, can't be asked, and no other either: %w "+
		"(--at-rest reads the folder of one that has stopped, --at-rest=topic the traits topic)", task, err)
}

func (p *processPlace) all(ctx context.Context, behind *string) (u *explorer.User, err error) {
	return u, p.ask(ctx, func(address string) (err error) {
		u, err = p.client.User(ctx, address, p.user, behind)
		return err
	})
}

func (p *processPlace) one(ctx context.Context, name string) (t *explorer.Trait, err error) {
	return t, p.ask(ctx, func(address string) (err error) {
		t, err = p.client.Trait(ctx, address, p.user, name)
		return err
	})
}

// ask asks until there is an answer, or for long enough.
func (p *processPlace) ask(ctx context.Context, question func(address string) error) error {
	for try := 1; ; try++ {
		err := question(p.address)
		var no *explorer.RefusedError
		if err == nil || try == lookupTries || errors.As(err, &no) && !no.Temporary() || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(lookupPause):
		case <-ctx.Done():
			return err
		}
		if p.find == nil {
			continue
		}
		if address, err := p.find(ctx); err == nil {
			p.address = address
		}
	}
}

func (p *processPlace) close() error {
	if p.hangUp != nil {
		p.hangUp()
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/explorer"
)

// ownerOf returns who has a task by the group's word. Its error is for people.
func (g *membership) ownerOf(inbox string, task int32) (member, error) {
	m, ok := g.owners[place{inbox, task}]
	switch {
	case ok:
		return m, nil
	case g.rebalancing():
		return m, errors.New("the group is rebalancing, and who gets it is not settled")
	case len(g.members) == 0:
		return m, errors.New("nobody is in the group: start a process with `traitstream run`, or look at what is at rest (--at-rest)")
	}
	return m, errors.New("nobody has it at the moment")
}

// reach finds out whether a member's process answers at the address that it has
// told: at one that was given to another process since, that one does, and it must
// not get the token.
func (m *member) reach(ctx context.Context) error {
	switch {
	case m.HTTP == "":
		return fmt.Errorf("%s tells no address of its HTTP: check its http.listen, and set http.advertise", m.Process)
	case !mayReach(m.HTTP, m.host):
		return fmt.Errorf("%s tells %s, which is an address on its own machine, %s: set its http.advertise to one that can be reached from here",
			m.Process, m.HTTP, m.host)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := askProcess(ctx, m.HTTP)
	if err != nil {
		return fmt.Errorf("%s does not answer at %s: check that its http.advertise can be reached from here", m.Process, m.HTTP)
	}
	if s.Instance != m.Process {
		return fmt.Errorf("at %s, the address of %s, another process answers: %s", m.HTTP, m.Process, s.Instance)
	}
	return nil
}

// groupFresh is how long a look at the group counts.
const groupFresh = time.Second

// ownerFinder finds who has a task, for a process that is asked for one that it
// does not have. It looks at the group once for many requests.
type ownerFinder struct {
	client       *kgo.Client
	group, inbox string

	turn chan struct{} // has room for who looks
	seen *membership
	at   time.Time
}

func newOwnerFinder(cl *kgo.Client, group, inbox string) *ownerFinder {
	return &ownerFinder{client: cl, group: group, inbox: inbox, turn: make(chan struct{}, 1)}
}

func (f *ownerFinder) find(ctx context.Context, task int32) (explorer.Member, error) {
	g, err := f.look(ctx)
	if err != nil {
		return explorer.Member{}, err
	}
	m, err := g.ownerOf(f.inbox, task)
	if err == nil {
		err = m.reach(ctx)
	}
	return explorer.Member{Instance: m.Process, Address: m.HTTP}, err
}

func (f *ownerFinder) look(ctx context.Context) (*membership, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, errors.New("the brokers do not say who has it")
	}
	if f.seen != nil && time.Since(f.at) < groupFresh {
		return f.seen, nil
	}
	g, err := describeGroup(ctx, f.client, f.group)
	if err != nil {
		return nil, err
	}
	f.seen, f.at = g, time.Now()
	return g, nil
}

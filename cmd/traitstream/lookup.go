package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/explorer"
	"traitstream/kafka"
	"traitstream/state"
	"traitstream/trait"
)

// atRest is the value of --at-rest: what is read in place of asking a process.
type atRest string

const (
	restFolder = "folder"
	restTopic  = "topic"
)

func (r *atRest) String() string { return string(*r) }

func (r *atRest) Set(text string) error {
	if text != restFolder && text != restTopic {
		return errors.New("it is folder or topic")
	}
	*r = atRest(text)
	return nil
}

func (*atRest) Type() string { return "folder|topic" }

// lookupOptions say who is looked up, and where.
type lookupOptions struct {
	identity string
	rest     atRest
	stateDir string
	ask      string // host:port
}

// lookupHelp tells of the places, for get and explain.
const lookupHelp = "The process that has the user's task is asked, over HTTP at the address that it tells the group (http.advertise,\n" +
	"or http.listen), with http.token; where it can't be reached from here, another process that passes the question on.\n" +
	"With --ask the process at an address is asked, and no broker. What is told was committed, and may lag by one\n" +
	"transaction.\n\n" +
	"--at-rest reads what a process that has stopped has left in state.dir, or in --state-dir, without brokers; it may lack\n" +
	"last-seen times of the last processor.flush_interval after a crash. --at-rest=topic reads the user's partition of the\n" +
	"traits topic, which has the changes alone: when a value was seen first, not when it was seen last.\n\n" +
	"Exit status 1 says that nothing is known, or that nobody could tell."

func (o *lookupOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.identity, "identity", "user", "by what the user is known: user or anonymous")
	f.Var(&o.rest, "at-rest", "read the state folder of a process that has stopped, or, as --at-rest=topic, the traits topic")
	f.Lookup("at-rest").NoOptDefVal = restFolder
	f.StringVar(&o.stateDir, "state-dir", "", "the `FOLDER` that --at-rest reads (default state.dir)")
	f.StringVar(&o.ask, "ask", "", "ask the process at `HOST:PORT`, whichever it is")
}

// check finds what does not go together.
func (o *lookupOptions) check(id string) (state.User, error) {
	u, err := explorer.ParseUser(o.identity, id)
	switch {
	case err != nil:
		return u, usage("%w", err)
	case o.stateDir != "" && o.rest != restFolder:
		return u, usage("--state-dir goes with --at-rest")
	case o.ask != "" && o.rest != "":
		return u, usage("--ask asks a process, --at-rest does not")
	}
	if _, _, err := net.SplitHostPort(o.ask); o.ask != "" && err != nil {
		return u, usage("--ask is host:port, not %q", o.ask)
	}
	return u, nil
}

// lookupPlace is where a user is looked up.
type lookupPlace interface {
	// all tells of the traits behind a name; nil: of the first ones.
	all(ctx context.Context, behind *string) (*explorer.User, error)
	one(ctx context.Context, name string) (*explorer.Trait, error)
	close() error
}

// openPlace opens the place where a user is looked up.
func (m *Main) openPlace(ctx context.Context, cfg *config.Config, o *lookupOptions, u state.User) (lookupPlace, error) {
	switch {
	case o.rest == restFolder:
		return openFolder(cfg, o, u)
	case o.rest == restTopic:
		return m.openTopic(ctx, cfg, u)
	case o.ask != "":
		return &processPlace{client: explorer.Client{Token: string(cfg.HTTP.Token)}, address: o.ask, user: u}, nil
	}
	return findProcess(ctx, cfg, u)
}

// folderPlace is a state folder.
type folderPlace struct {
	explorer.Folder
	user state.User
}

func openFolder(cfg *config.Config, o *lookupOptions, u state.User) (*folderPlace, error) {
	dir := o.stateDir
	if dir == "" {
		dir = cfg.State.Dir
	}
	set, err := trait.NewSet(cfg.Traits)
	if err != nil {
		return nil, err
	}
	store, err := state.OpenForReading(state.Options{Dir: dir, App: cfg.App, CacheBytes: 32 << 20})
	if errors.Is(err, state.ErrLocked) {
		return nil, fmt.Errorf("%w; it runs: ask it, without --at-rest", err)
	}
	if err != nil {
		return nil, err
	}
	f := explorer.Folder{Store: store, Dir: dir, Teller: explorer.Teller{App: cfg.App, Traits: set}}
	return &folderPlace{f, u}, nil
}

func (f *folderPlace) all(_ context.Context, behind *string) (*explorer.User, error) {
	return f.All(f.user, behind)
}

func (f *folderPlace) one(_ context.Context, name string) (*explorer.Trait, error) {
	return f.One(f.user, name)
}

func (f *folderPlace) close() error { return f.Store.Close() }

// topicPlace is the traits topic.
type topicPlace struct {
	explorer.Topic
	user state.User
}

func (m *Main) openTopic(ctx context.Context, cfg *config.Config, u state.User) (_ *topicPlace, err error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.client.Close()
		}
	}()
	name := cfg.Output.Topic
	found, err := kafka.Describe(ctx, conn.client, name)
	if err != nil {
		return nil, err
	}
	topic, ok := found[name]
	if !ok {
		return nil, kafka.NoSuchTopic(ctx, conn.client, name)
	}
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return nil, err
	}
	written, err := knownOutput(ctx, cfg, topic, r)
	if err != nil {
		return nil, err
	}
	return &topicPlace{explorer.Topic{Client: conn.client, Topic: topic, Avro: written}, u}, nil
}

func (t *topicPlace) all(ctx context.Context, _ *string) (*explorer.User, error) {
	return t.All(ctx, t.user)
}

func (t *topicPlace) one(ctx context.Context, name string) (*explorer.Trait, error) {
	return t.One(ctx, t.user, name)
}

func (t *topicPlace) close() error { t.Client.Close(); return nil }

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
)

// registryPause is between two looks whether the registry is back.
const registryPause = time.Second

type forgetOptions struct {
	identity string
	trait    string
	file     string
	consent  consent
	timeout  time.Duration
}

func (m *Main) forgetCommand() *cobra.Command {
	o := forgetOptions{identity: "user", timeout: 5 * time.Minute}
	c := &cobra.Command{
		Use:   "forget USER",
		Short: "Remove a user's traits, and refuse what comes late of them",
		Long: "Removes all traits of a user, or one of them, from state, changelog and traits topic, where each gets a\n" +
			"tombstone. What the user sees from then on counts again; impressions from before, that come late or are read\n" +
			"again, are refused: a marker, which tells no more than a hash of the user, is kept for that at least for\n" +
			"state.keep_forgotten and as long as a source reaches back before it.\n\n" +
			"The command goes through Kafka to the users' tasks, so it may be given wherever the configuration reaches the\n" +
			"brokers, and waits for the processes that do it. When all is committed it prints a receipt as JSON: what was\n" +
			"removed, and at which offsets. --file reads a list, one user a line.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if o.trait == "" && c.Flags().Changed("trait") {
				return usage("--trait is empty; leave it out for all traits")
			}
			return m.forget(c.Context(), cfg, o, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.identity, "identity", o.identity, "by what the users are known: user or anonymous")
	f.StringVar(&o.trait, "trait", "", "forget this trait `NAME` alone")
	f.StringVar(&o.file, "file", "", "read the users from a `FILE`, one a line, - for standard input")
	o.consent.flag(c)
	f.Var((*timeout)(&o.timeout), "timeout", "wait so long at most for the commands to be carried out")
	return c
}

// forget has the users forgotten, and prints the receipt.
func (m *Main) forget(ctx context.Context, cfg *config.Config, o forgetOptions, args []string) error {
	req := fleet.ForgetRequest{Trait: o.trait}
	for _, i := range []impression.Identity{impression.User, impression.Anonymous} {
		if i.String() == o.identity {
			req.Identity = i
		}
	}
	switch {
	case req.Identity == 0:
		return usage("--identity is user or anonymous, not %q", o.identity)
	case (len(args) == 1) == (o.file != ""):
		return usage("name one user, or a list with --file")
	case o.timeout <= 0:
		return usage("--timeout must be longer than nothing")
	}
	var err error
	if req.Users, err = m.forgottenUsers(ctx, o, args); err != nil {
		return err
	}
	if err := m.confirm(ctx, cfg, o, req); err != nil {
		return err
	}
	conn, err := connect(ctx, cfg, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		return err
	}
	for _, t := range []kafka.Topic{topics.Traits, topics.Changelog, topics.Inbox} {
		if t.Missing {
			return fmt.Errorf("there is nothing to forget: topic %s does not exist; run creates it", t.Name)
		}
	}
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if cfg.Output.Format == config.Avro {
		// The receipt alone needs the registry, and no ids of it, since nothing is written.
		req.Avro = schemas.NewAvro(0, 0, patient(bounded, r.Lookup(bounded), m.logger(m.Stderr)))
	}
	return m.forgetNow(bounded, conn.fleet(cfg, topics), req)
}

// patient waits for a registry that is away, until ctx ends.
func patient(ctx context.Context, find avro.Lookup, log *slog.Logger) avro.Lookup {
	return func(id avro.ID) (*avro.Schema, error) {
		for told := false; ; told = true {
			s, err := find(id)
			if !errors.Is(err, avro.ErrAway) {
				return s, err
			}
			if !told {
				log.Warn("all are forgotten; the receipt waits for the schema registry", "cause", err.Error())
			}
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(registryPause):
			}
		}
	}
}

func (m *Main) forgetNow(ctx context.Context, f *fleet.Fleet, req fleet.ForgetRequest) error {
	req.Progress = m.forgetProgress()
	receipt, err := f.Forget(ctx, req)
	if errors.Is(err, fleet.ErrNotForgotten) {
		return fmt.Errorf("%w; the commands stand in %s and are done as soon as a process has the users' tasks "+
			"(status tells; is a run going?); the same command may be given again", err, f.Topics.Inbox.Name)
	}
	if errors.Is(err, fleet.ErrNoReceipt) {
		return fmt.Errorf("%w; the tombstones stand in %s; given again, the command finds nothing left to remove, and tells where the markers stand",
			err, f.Topics.Traits.Name)
	}
	if err != nil {
		return err
	}
	return m.printReceipt(receipt, f.Topics)
}

// forgetProgress says now and then what is waited for.
func (m *Main) forgetProgress() func(done, users int) {
	next := time.Time{}
	return func(done, users int) {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(10 * time.Second)
		fmt.Fprintf(m.Stderr, "%d of %d forgotten; waiting for the processes that have their tasks (status tells whether one runs)\n", done, users)
	}
}

// maxUser is the longest user that impressions may have, in bytes.
const maxUser = 1 << 10

// byteOrderMark is what some programs begin a text in UTF-8 with; it is no part of
// the first user.
const byteOrderMark = "\ufeff"

// forgottenUsers returns the users, each once.
func (m *Main) forgottenUsers(ctx context.Context, o forgetOptions, args []string) ([]string, error) {
	if len(args) == 1 {
		return args, checkUser(args[0])
	}
	in := m.stdin(ctx)
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return nil, usage("opening the list of users: %w", err)
		}
		defer file.Close() //nolint:errcheck // it was read
		in = file
	}
	var users []string
	seen := map[string]bool{}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		user := strings.TrimSuffix(lines.Text(), "\r")
		if n == 1 {
			user = strings.TrimPrefix(user, byteOrderMark)
		}
		if user == "" || seen[user] {
			continue
		}
		if err := checkUser(user); err != nil {
			return nil, usage("%s:%d: %w", o.file, n, err)
		}
		seen[user] = true
		users = append(users, user)
	}
	switch err := lines.Err(); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, usage("reading the list of users: %w", err)
	case len(users) == 0:
		return nil, usage("%s names no user", o.file)
	}
	return users, nil
}

func checkUser(user string) error {
	switch {
	case user == "":
		return usage("a user is not empty")
	case !utf8.ValidString(user) || len(user) > maxUser:
		return usage("%.40q is no user: one is UTF-8 and has at most %d bytes", user, maxUser)
	}
	return nil
}

// confirm asks whether it is meant, where there is somebody to ask.
func (m *Main) confirm(ctx context.Context, cfg *config.Config, o forgetOptions, req fleet.ForgetRequest) error {
	if o.file == "-" && !o.consent.yes {
		return usage("nobody can be asked whether this is meant, since standard input has the list: say --yes")
	}
	who := fmt.Sprintf("%s %q", o.identity, req.Users[0])
	if n := len(req.Users); n > 1 {
		who = fmt.Sprintf("%d users (%s)", n, o.identity)
	}
	what := "all traits"
	if o.trait != "" {
		what = fmt.Sprintf("the trait %q", o.trait)
	}
	return m.ask(ctx, fmt.Sprintf("Remove %s of %s from app %s for good?", what, who, cfg.App), o.consent)
}

// printReceipt prints what was done, and what could not be.
func (m *Main) printReceipt(r *fleet.Receipt, topics *kafka.Topics) error {
	notDone := []string{
		"the sources still hold their impressions, which are their owner's to delete",
		"dead letters of these users stay in " + topics.DeadLetters.Name + " until they expire",
		"tombstones tell subscribers to remove the traits; what those have passed on is theirs to remove",
		"older records go from " + topics.Traits.Name + " and " + topics.Changelog.Name + " when Kafka compacts them",
	}
	text, err := json.Marshal(struct {
		*fleet.Receipt
		NotDone []string `json:"not_done"`
	}{r, notDone})
	if err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	if _, err := fmt.Fprintf(m.Stdout, "%s\n", text); err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	for _, line := range notDone {
		fmt.Fprintf(m.Stderr, "not done: %s\n", line)
	}
	return nil
}

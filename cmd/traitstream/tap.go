package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
)

// lookAround is how soon a partition that is added to a topic is seen.
const lookAround = 10 * time.Second

type tapOptions struct {
	topic    string
	from     startPoint
	untilEnd bool
}

func (m *Main) tapCommand() *cobra.Command {
	var o tapOptions
	c := &cobra.Command{
		Use:   "tap",
		Short: "Print the records of a topic as they are committed",
		Long: "Prints records of a topic as a read_committed reader does. With --until-end it prints what stands there\n" +
			"now, one partition after the other, each in the order of its offsets, and stops.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if o.topic == "" {
				o.topic = cfg.Output.Topic
			}
			if o.from.text == "" && o.untilEnd {
				o.from.text = fromStart
			}
			// Else a reader of the output that leaves, such as head, ends the
			// process by a signal; so it is an error of writing.
			signal.Ignore(syscall.SIGPIPE)
			return endOfPipe(m.tap(c.Context(), cfg, o))
		},
	}
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "", "`TOPIC` to read (default: the traits topic)")
	f.Var(&o.from, "from", "where to begin: start, end, or a time: RFC 3339, a date or ms (default end, with --until-end start)")
	f.BoolVar(&o.untilEnd, "until-end", false, "stop at what is the end now")
	return c
}

// endOfPipe takes a reader that has seen enough for success.
func endOfPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// tap prints a topic.
func (m *Main) tap(ctx context.Context, cfg *config.Config, o tapOptions) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	found, err := kafka.Describe(ctx, conn.client, o.topic)
	if err != nil {
		return err
	}
	if _, ok := found[o.topic]; !ok {
		return kafka.NoSuchTopic(ctx, conn.client, o.topic)
	}
	out := bufio.NewWriterSize(m.Stdout, 64<<10)
	p := &recordPrinter{out: out, json: m.format == "json"}
	if cfg.UsesAvro() || cfg.Registry.Named {
		if p.plain, err = m.avroReader(ctx, cfg); err != nil {
			return err
		}
	}
	if !o.untilEnd {
		return m.follow(ctx, conn.options, o, p)
	}
	if err := readTopic(ctx, conn.client, o.topic, o.from, p.print); err != nil {
		_ = out.Flush() // what was read; the first error is the one to tell
		return err
	}
	return out.Flush()
}

// follow prints what is committed from now on, until ctx ends or nobody reads
// what is printed.
func (m *Main) follow(ctx context.Context, options []kgo.Opt, o tapOptions, p *recordPrinter) error {
	reader, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(o.topic), kgo.ConsumeStartOffset(o.from.offset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMaxAge(lookAround),
	}, options...)...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	defer reader.Close()
	fn := o.from.after(p.print)
	for ctx.Err() == nil && !abandoned(m.Stdout) {
		if err := poll(ctx, reader, fn); err != nil {
			return err
		}
		if err := p.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// poll calls fn for what comes within a second.
func poll(ctx context.Context, reader *kgo.Client, fn func(*kgo.Record) error) error {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fetches := reader.PollFetches(limited)
	for _, r := range fetches.Records() {
		if err := fn(r); err != nil {
			return err
		}
	}
	if err := fetches.Err(); err != nil && limited.Err() == nil {
		return fmt.Errorf("reading: %w", kafka.Explain(err))
	}
	return nil
}

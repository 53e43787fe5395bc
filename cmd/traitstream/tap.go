package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
)

type tapOptions struct {
	topic    string
	from     string
	untilEnd bool
}

func (m *Main) tapCommand() *cobra.Command {
	var o tapOptions
	c := &cobra.Command{
		Use:   "tap",
		Short: "Print the records of a topic as they are committed",
		Long: "Prints records of a topic as a read_committed reader does. With --until-end it prints what stands there\n" +
			"now, partition by partition, and stops.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if o.from == "" {
				o.from = "end"
				if o.untilEnd {
					o.from = "start"
				}
			}
			if o.topic == "" {
				o.topic = cfg.Output.Topic
			}
			return endOfPipe(m.tap(c.Context(), cfg, o))
		},
	}
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "", "`TOPIC` to read (default: the traits topic)")
	f.StringVar(&o.from, "from", "", "where to begin: start, end or a `TIME` (default end, with --until-end start)")
	f.BoolVar(&o.untilEnd, "until-end", false, "stop at what is the end now")
	return c
}

// endOfPipe takes a reader that has seen enough, such as head, for success.
func endOfPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// tap prints a topic.
func (m *Main) tap(ctx context.Context, cfg *config.Config, o tapOptions) error {
	at, err := startOf(o.from)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	if err := topicExists(ctx, conn.client, o.topic); err != nil {
		return err
	}
	if o.untilEnd {
		return m.tapUntilEnd(ctx, conn.client, o)
	}
	reader, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(o.topic), kgo.ConsumeResetOffset(at), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, conn.options...)...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	defer reader.Close()
	for {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", o.topic, kafka.Explain(err))
		}
		for _, r := range fetches.Records() {
			if err := m.printRecord(r); err != nil {
				return err
			}
		}
	}
}

// startOf reads --from.
func startOf(text string) (kgo.Offset, error) {
	switch text {
	case "start":
		return kgo.NewOffset().AtStart(), nil
	case "end":
		return kgo.NewOffset().AtEnd(), nil
	}
	at, err := config.ParseTime(text)
	if err != nil {
		return kgo.Offset{}, usage("--from is start, end or a time: %w", err)
	}
	return kgo.NewOffset().AfterMilli(at.UnixMilli()), nil
}

// topicExists returns an error that names the nearest topics if it does not.
func topicExists(ctx context.Context, cl *kgo.Client, topic string) error {
	found, err := kafka.Describe(ctx, cl, topic)
	if err != nil {
		return err
	}
	if _, ok := found[topic]; !ok {
		return kafka.NoSuchTopic(ctx, cl, topic)
	}
	return nil
}

// tapUntilEnd prints what stands in a topic now.
func (m *Main) tapUntilEnd(ctx context.Context, cl *kgo.Client, o tapOptions) error {
	from, err := listFrom(ctx, kadm.NewClient(cl), o)
	if err != nil {
		return err
	}
	end, err := kadm.NewClient(cl).ListEndOffsets(ctx, o.topic)
	if err == nil {
		err = end.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", o.topic, kafka.Explain(err))
	}
	for _, e := range end.Offsets().Sorted() {
		start, _ := from.Lookup(o.topic, e.Partition)
		if err := kafka.ReadPartition(ctx, cl, o.topic, e.Partition, start.Offset, e.At, m.printRecord); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

func listFrom(ctx context.Context, adm *kadm.Client, o tapOptions) (kadm.ListedOffsets, error) {
	var from kadm.ListedOffsets
	var err error
	switch o.from {
	case "start":
		from, err = adm.ListStartOffsets(ctx, o.topic)
	case "end":
		from, err = adm.ListEndOffsets(ctx, o.topic)
	default:
		var at time.Time
		if at, err = config.ParseTime(o.from); err == nil {
			from, err = adm.ListOffsetsAfterMilli(ctx, at.UnixMilli(), o.topic)
		}
	}
	if err == nil {
		err = from.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up where %s starts: %w", o.topic, kafka.Explain(err))
	}
	return from, nil
}

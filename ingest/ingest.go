// Package ingest fills a source topic: it reads impressions that are not in
// Kafka yet and produces them, one a record, keyed by user.
//
// A file is split into values (lines of JSON, a sequence of JSON values, or the
// rows of Parquet), the decoder of package impression splits each value into
// elements, and each element becomes a record: an impression one of the source
// topic, a refused element a dead letter. Both carry the file and the line that
// they came from, so that what is refused later can be traced back. Keys,
// values, headers and partitions depend on the file alone.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
)

// TooLarge is the reason of an element that the source topic can't hold.
const TooLarge impression.Reason = "too_large"

const (
	// buffered is how much an import has on its way to the broker, in bytes.
	buffered = 128 << 20
	// maxRecord is the largest record whatever the topic takes, in bytes; some
	// are to fit into what is buffered.
	maxRecord = buffered / 4
)

// Options tell what to read and where to put it.
type Options struct {
	// Client produces; it was made with ClientOptions.
	Client *kgo.Client
	// Source tells how elements are read.
	Source impression.Source
	// Filter names the Segment events that are impressions.
	Filter impression.Filter
	// Target is the topic to fill.
	Target kafka.Topic
	// DeadLetters takes refused elements, of longer ones the beginning. Without
	// a name they are only counted.
	DeadLetters kafka.Topic
	// Lines takes every file but Parquet for JSON lines.
	Lines bool
	// Stdin is read for the file name "-".
	Stdin io.Reader
	// Now gives each record its timestamp; nil is time.Now.
	Now func() time.Time

	// OnRefused, if not nil, is told of each refused element.
	OnRefused func(file string, line int64, reason impression.Reason, message string)
	// OnIgnored, if not nil, is told of a file that by its name holds no
	// impressions, such as the _SUCCESS beside an export.
	OnIgnored func(file string)
	// OnProgress, if not nil, is told now and then how many bytes of a file
	// were read; total is 0 where it is not known.
	OnProgress func(file string, done, total int64)
}

// Counts are elements by what became of them.
type Counts struct {
	Impressions int64 // put into the topic
	Skipped     int64 // no impressions: other Segment calls, unwanted identities
	Refused     map[impression.Reason]int64
}

// Importer puts files into a source topic. It is not safe for concurrent use.
type Importer struct {
	o        Options
	decoder  *impression.Decoder
	elements []impression.Element
	memory   arena
	counts   Counts
}

// ClientOptions returns what a client needs, beside kafka.Options, to import
// into these topics. What it buffers bounds the memory of an import.
func ClientOptions(target, deadLetters kafka.Topic) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic != "" && topic == deadLetters.Name {
				return int32(largest(deadLetters))
			}
			return int32(largest(target))
		}),
		kgo.MaxBufferedBytes(buffered),
	}
}

// largest is the size of the largest record that goes into a topic, in bytes.
func largest(t kafka.Topic) int {
	return min(int(t.MaxMessageBytes), maxRecord)
}

// New returns an importer that has read nothing yet.
func New(o Options) (*Importer, error) {
	if o.Client == nil || o.Target.Name == "" || o.Target.Partitions < 1 {
		return nil, errors.New("importing needs a Kafka client and a topic with at least one partition")
	}
	if d := o.DeadLetters; d.Name != "" && (d.Partitions < 1 || largest(d) < 2*reserve) {
		return nil, fmt.Errorf("topic %s can't take dead letters: %d partitions, records of up to %d bytes "+
			"(check that it exists, and that its max.message.bytes is at least %d)", d.Name, d.Partitions, largest(d), 2*reserve)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Importer{
		o:       o,
		decoder: impression.NewDecoder(o.Source, o.Filter),
		counts:  Counts{Refused: map[impression.Reason]int64{}},
	}, nil
}

// Counts returns the counts of all files so far.
func (i *Importer) Counts() Counts {
	c := i.counts
	c.Refused = maps.Clone(c.Refused)
	return c
}

// File imports a file, "-" for Options.Stdin, and returns when all its records
// are acknowledged. Refused elements are no error; a file that can't be read
// to its end is one, after what could be read was imported.
func (i *Importer) File(ctx context.Context, path string) error {
	if isMetadata(path) {
		if i.o.OnIgnored != nil {
			i.o.OnIgnored(path)
		}
		return nil
	}
	in, err := open(path, i.o)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	defer in.close()

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	before := i.counts.Impressions
	readErr := i.values(ctx, newJob(i, path, fail), in)
	if err := i.flush(ctx); err != nil {
		return fmt.Errorf("importing %s: %w", path, err)
	}
	if readErr != nil {
		return fmt.Errorf("reading %s: %w; %d impressions before it were imported",
			path, readErr, i.counts.Impressions-before)
	}
	return nil
}

// values puts all values of a file into the topics. It returns what went wrong
// in reading; what goes wrong in producing ends ctx.
func (i *Importer) values(ctx context.Context, j *job, in *input) error {
	index := 0
	for ctx.Err() == nil {
		v, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !v.continues {
			index = 0
		}
		index += j.value(ctx, v, index)
	}
	return nil
}

// flush waits until all records are acknowledged.
func (i *Importer) flush(ctx context.Context) error {
	if err := i.o.Client.Flush(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("waiting for the broker: %w", err)
	}
	return context.Cause(ctx)
}

package preview

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// DefaultMemory is what is kept of users and traits where Options do not tell, in
// bytes: some two million traits. The process takes about twice as much.
const DefaultMemory = 256 << 20

// Options are what a preview works with.
type Options struct {
	Config *config.Config // with the definitions to preview
	Topics *kafka.Topics  // of which the sources must exist
	Client *kgo.Client
	// Change leads from the definitions in force to those of Config: traits whose
	// definitions stay are not computed anew when these are applied. Nil: it is not
	// known what is in force, and all that differs is told.
	Change *trait.Change
	// Avro reads the traits topic; nil: it is in JSON.
	Avro *schemas.Avro
	// Schemas finds those of sources in Avro; nil where there is none.
	Schemas avro.Lookup

	Since  time.Time // records before are left out; zero: none
	Trait  string    // the name of a definition, or of a trait: others are left out; empty: none
	Sample int       // how many users of each definition, and differences, are told by name
	Users  int64     // how many are kept at most; 0: as many as Memory holds
	Memory int64     // bound for what is kept, bytes, to 64 GiB; 0: DefaultMemory
	Now    time.Time // by which traits expire
	// Progress may be nil. It is told how many offsets of a stage are read, from
	// several goroutines.
	Progress func(stage string, done, total int64)
}

// Stages that Progress tells.
const (
	StageForgotten = "reading what the app has forgotten"
	StageHeld      = "reading the traits that the app holds"
	StageSources   = "reading sources"
)

// Run previews. When ctx ends it returns what it has until then, in a report that
// is not complete.
func Run(ctx context.Context, o Options) (*Report, error) {
	p := newPreview(o)
	err := p.read(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return p.report(err == nil), nil
}

// offsets are places in topics, by topic and partition.
type offsets map[string]map[int32]int64

// before tells whether a place lies before these, or in none of their topics.
func (o offsets) before(at trait.Place) bool {
	from, there := o[at.Topic][at.Partition]
	return !there || at.Offset < from
}

// preview is a preview under way.
type preview struct {
	o       Options
	readers int
	wanted  []bool // by definition: all its traits
	fresh   []bool // by definition: it is computed anew
	table   *table
	from    offsets // where the history begins that is read
	start   offsets // where the sources begin
	app     app

	mu          sync.Mutex
	total       *tally
	done, whole int64 // offsets of the sources
}

func newPreview(o Options) *preview {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	p := &preview{o: o, readers: max(2, runtime.GOMAXPROCS(0)), total: newTally(o.Config.Set)}
	for _, d := range o.Config.Traits {
		p.wanted = append(p.wanted, o.Trait == "" || o.Trait == d.Name.String())
		p.fresh = append(p.fresh, o.Change == nil || o.Change.New.Has(d.Name.String()))
	}
	p.table = newTable(len(p.wanted), o.Memory, o.Users)
	return p
}

// wants tells whether a trait that a definition feeds is to be previewed.
func (p *preview) wants(definition int, trait []byte) bool {
	return p.wanted[definition] || string(trait) == p.o.Trait
}

// read reads all there is. Where the sources end is looked up after the traits
// were read, so that all that these come from is within it.
func (p *preview) read(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.findStarts, p.readApp, p.readSources} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

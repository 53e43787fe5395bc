package verify

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/state"
	"traitstream/trait"
)

// DefaultMemory is what a pass keeps of traits where Options do not tell, in
// bytes: some 600,000 traits. The process takes about twice as much.
const DefaultMemory = 256 << 20

// Options are what a verification works with.
type Options struct {
	Config *config.Config
	Topics *kafka.Topics // all of them must exist, but for the dead letters
	Client *kgo.Client
	Store  *state.Store // local state to compare too; may be nil
	Tasks  []int32      // which to verify; none: all
	// Generation is that of the configuration's definitions, which are in force.
	Generation uint32
	// Avro reads the traits topic; nil: it is in JSON.
	Avro *schemas.Avro
	// Schemas finds those of sources in Avro; nil where there is none.
	Schemas avro.Lookup
	Memory  int64 // bound for what a pass keeps, in bytes; 0: DefaultMemory
	// Progress may be nil. It is told how many offsets of a stage are read, from
	// several goroutines.
	Progress func(stage string, done, total int64)
}

// Stages that Progress tells.
const (
	StageOutputs = "reading changelog and traits topic"
	StageSources = "reading sources"
	StageAgain   = "looking again at what differs"
)

// Run verifies, and calls found for each difference, sorted by trait within a
// pass. An error of found ends it. When ctx ends, so does it, with an error: what
// was found until then is true, but not all.
func Run(ctx context.Context, o Options, found func(Difference) error) (*Report, error) {
	v := newVerifier(o)
	var err error
	if v.former, err = v.formerSets(ctx); err != nil {
		return nil, err
	}
	if v.generations, err = v.readGenerations(ctx); err != nil {
		return nil, err
	}
	perPass, err := v.tasksPerPass(ctx)
	if err != nil {
		return nil, err
	}
	r := newReport()
	for tasks := range slices.Chunk(v.o.Tasks, perPass) {
		if err := v.verify(ctx, tasks, r, found); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func newVerifier(o Options) *verifier {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if len(o.Tasks) == 0 {
		o.Tasks = numbers(o.Topics.Tasks)
	}
	return &verifier{
		o:       o,
		sources: oracleSources(o.Config),
		defs:    oracleDefinitions(o.Config.Traits),
		ahead:   o.Config.Processor.MaxClockAhead,
		readers: max(2, runtime.GOMAXPROCS(0)),
		seed:    maphash.MakeSeed(),
	}
}

// verifier is a verification under way.
type verifier struct {
	o       Options
	sources map[string]oracle.Source
	defs    []oracle.Definition
	former  []*trait.Set // by which traits may have expired
	// generations are the definitions of other generations, as far as they are known.
	generations map[uint32][]oracle.Definition
	ahead       time.Duration
	readers     int
	seed        maphash.Seed
}

// verify does a pass over some tasks.
func (v *verifier) verify(ctx context.Context, tasks []int32, r *Report, found func(Difference) error) error {
	first, err := v.look(ctx, tasks, nil)
	if err != nil {
		return err
	}
	r.add(first)
	if len(first.differences) == 0 {
		return nil
	}
	doubtful := map[string]bool{}
	for _, d := range first.differences {
		doubtful[d.id] = true
	}
	second, err := v.look(ctx, tasks, doubtful)
	if err != nil {
		return err
	}
	for _, d := range second.sorted() {
		r.Differences++
		if err := found(d); err != nil {
			return fmt.Errorf("telling a difference: %w", err)
		}
	}
	r.Settled += int64(len(doubtful)) - second.doubtful()
	return nil
}

// look reads what some tasks have made and what they should have made, and
// compares the two. With only, it does so for the traits that this names.
func (v *verifier) look(ctx context.Context, tasks []int32, only map[string]bool) (*pass, error) {
	p := newPass(v, tasks, only)
	var err error
	if p.cut, err = v.cut(ctx, tasks); err != nil {
		return nil, err
	}
	return p, p.compare(ctx)
}

// compare reads all that is within the cut, outputs first: of what the sources
// say, only what these say too has to be kept.
func (p *pass) compare(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.readChangelog, p.compareState, p.readTraits, p.readRefused, p.readSources} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p.judge()
	return nil
}

// tasksPerPass tells how many tasks fit into memory. Users are spread evenly
// over tasks, so one task's changelog tells of all.
func (v *verifier) tasksPerPass(ctx context.Context) (int, error) {
	task, topic := v.o.Tasks[0], v.o.Topics.Changelog.Name
	logs, err := kafka.Logs(ctx, v.o.Client, topic)
	if err != nil {
		return 0, err
	}
	log := logs[task]
	if log.To-log.From < v.o.Memory/(traitBytes*int64(len(v.o.Tasks))) {
		return len(v.o.Tasks), nil
	}
	keys, size := map[uint64]struct{}{}, int64(1)
	err = kafka.ReadPartition(ctx, v.o.Client, topic, task, log.From, log.To, func(r *kgo.Record) error {
		hash := maphash.Bytes(v.seed, r.Key)
		if _, ok := keys[hash]; !ok {
			keys[hash] = struct{}{}
			size += int64(len(r.Key)+len(r.Value)) + traitBytes
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(min(max(1, v.o.Memory/size), int64(len(v.o.Tasks)))), nil
}

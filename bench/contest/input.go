// Package contest measures contestants on one job: the last-seen treatment of
// each user and flag, out of a topic of impressions into a topic of changes.
package contest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"traitstream/bench/cluster"
	"traitstream/bench/workload"
)

// Input is a topic with events, and what must come of them.
type Input struct {
	Name    string          `json:"name"` // also of the topic, behind "bench-"
	Params  workload.Params `json:"params"`
	Records int64           `json:"records"`
	Digest  workload.Digest `json:"digest"`
	Warm    workload.Digest `json:"warm"`    // before the steady half
	Cluster string          `json:"cluster"` // the id of the cluster that has it
	path    string
}

// Topic is where the events are.
func (i *Input) Topic() string { return "bench-" + i.Name }

// Prepare loads an input, unless the cluster has it already: a file in dir tells.
func Prepare(ctx context.Context, c *cluster.Cluster, dir, name string, p workload.Params, progress func(done, all int64)) (*Input, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	id, err := c.ID(ctx)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+".json")
	if have, err := read(path); err != nil || have != nil && have.Params == p && have.Cluster == id {
		return have, err
	}
	in := &Input{Name: name, Params: p, Cluster: id, path: path}
	if err := c.Delete(ctx, in.Topic()); err != nil {
		return nil, err
	}
	if err := c.Create(ctx, in.Topic(), p.Partitions, false); err != nil {
		return nil, err
	}
	g := workload.NewGenerator(p)
	for _, half := range []struct {
		to     int64
		digest *workload.Digest
	}{{p.Warm, &in.Warm}, {p.Events, &in.Digest}} {
		records, err := c.Load(ctx, in.Topic(), p, g, half.to, 0, func(done int64) { progress(done, p.Events) })
		if err != nil {
			return nil, err
		}
		in.Records += records
		*half.digest = g.Digest()
	}
	return in, in.write(path)
}

// Changes is the share of measured records that change something.
func (i *Input) Changes() float64 {
	measured := i.Params.Events - i.Params.Warm
	return float64(i.Digest.Outputs-i.Warm.Outputs) / float64(measured) * float64(i.Params.Batch)
}

// read returns what a file tells, nil where there is none.
func read(path string) (*Input, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // that there is none is no error
	}
	in := &Input{path: path}
	if err == nil {
		err = json.Unmarshal(text, in)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was loaded: %w", err)
	}
	return in, nil
}

// Forget makes the input be loaded anew when it is wanted next.
func (i *Input) Forget() error {
	if err := os.Remove(i.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting what was loaded: %w", err)
	}
	return nil
}

func (i *Input) write(path string) error {
	text, err := json.MarshalIndent(i, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("noting what was loaded: %w", err)
	}
	return nil
}

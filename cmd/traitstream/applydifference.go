package main

import (
	"context"
	"errors"
	"fmt"

	"traitstream/preview"
)

// planSample is how many differences of each kind a plan tells by name.
const planSample = 3

// differenceOf reads the history of the sources and tells what a plan changes; nil
// where that is not wanted, or no trait changes.
func (m *Main) differenceOf(ctx context.Context, a *jobsApp, p *plan, o applyOptions) (*preview.Report, error) {
	if o.quick || !p.changesTraits() {
		return nil, nil
	}
	of, err := m.newPreview(ctx, a.conn, p.cfg, a.topics)
	if err != nil {
		return nil, notPreviewed(err)
	}
	of.Change, of.Sample = p.change, planSample
	r, err := m.readPreview(ctx, of)
	switch {
	case err != nil:
		return nil, notPreviewed(err)
	case !r.Complete:
		return nil, errors.New("stopped while the sources were read: nothing was applied")
	}
	return r, nil
}

func notPreviewed(err error) error {
	return fmt.Errorf("%w; nothing was applied: --quick applies without reading what it comes to", err)
}

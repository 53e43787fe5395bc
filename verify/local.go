package verify

import (
	"context"
	"fmt"
	"hash/maphash"

	"traitstream/schemas"
	"traitstream/trait"
)

// compareState compares the local state of the pass's tasks with what the
// changelog said at each task's checkpoint.
func (p *pass) compareState(ctx context.Context) error {
	for _, task := range p.tasks {
		cp, ok := p.checkpoints[task]
		if !ok {
			continue
		}
		if end := p.cut.changelog[task].To; cp.Next > end {
			p.differRecord(Difference{
				Kind: WrongState, Topic: p.o.Topics.Changelog.Name, Partition: task, Offset: cp.Next,
				Message: fmt.Sprintf("the local state of task %d is complete up to offset %d of the changelog, which ends at %d", task, cp.Next, end),
			})
			continue
		}
		if err := p.compareTask(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) compareTask(ctx context.Context, task int32) error {
	traits := p.shards[task].traits
	for e, err := range p.o.Store.All(task) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if !p.wants(string(e.Key)) || isShadow(e.Key) {
			continue
		}
		p.state++
		ev := traits[string(e.Key)]
		if ev == nil {
			p.wrongState(string(e.Key), task, "it is in the local state, and not in the changelog")
			continue
		}
		ev.local.found = true
		switch l := &ev.local; {
		case l.is == unheard && l.newer:
			p.stateNewer++
		default:
			if wrong := l.wrong(maphash.Bytes(p.seed, e.Value)); wrong != "" {
				p.wrongState(string(e.Key), task, wrong)
			}
		}
	}
	for key, ev := range traits {
		if ev.local.is == present && !ev.local.found {
			p.wrongState(key, task, lacking)
		}
	}
	return p.compareTaskRecords(task)
}

// isShadow tells whether a state key is of definitions that are on their way.
func isShadow(stateKey []byte) bool {
	key, err := schemas.DecodeStateKey(stateKey)
	_, _, shadow := trait.Unshadow(key.Trait)
	return err == nil && shadow
}

const lacking = "it is in the changelog before the checkpoint of the local state, and not in the state"

func (p *pass) wrongState(key string, task int32, what string) {
	p.differ(key, Difference{
		Kind: WrongState, Topic: p.o.Topics.Changelog.Name, Partition: task, Offset: p.checkpoints[task].Next,
		Message: fmt.Sprintf("%s (task %d, checkpoint %d)", what, task, p.checkpoints[task].Next),
	})
}

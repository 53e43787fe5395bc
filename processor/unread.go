package processor

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/fleet"
)

// errUnread says that a worker has given up its seat to start a rebalance.
var errUnread = errors.New("a partition has no reader: the group is asked for a new assignment")

// unreadFor is how long a partition may be without a reader until the group is
// asked for a new assignment. The group's leader does so itself when it next
// looks at the topics, which is each minute.
const unreadFor = 90 * time.Second

// unread notices partitions that nobody reads. Only the leader's client looks
// for partitions that were added, and a leader that comes back to its static
// seat may not know that it leads, or start with the new ones already in sight.
// Who reads a partition has claimed it, so one without a committed offset has no
// reader.
type unread struct {
	since map[partition]time.Time
}

// look tells whether a partition has been without a reader for too long.
func (u *unread) look(m *fleet.Measurement, now time.Time) bool {
	since, late := map[partition]time.Time{}, false
	m.End.Each(func(o kadm.ListedOffset) {
		p := partition{o.Topic, o.Partition}
		if c, ok := m.Committed.Lookup(p.topic, p.number); o.Err != nil || ok && c.At >= 0 {
			return
		}
		since[p] = now
		if before, ok := u.since[p]; ok {
			since[p] = before
			late = late || now.Sub(before) >= unreadFor
		}
	})
	u.since = since
	return late
}

// reassign makes the group give out its partitions anew. One process does it,
// which has the first task: for a worker that leaves and comes back, since a
// static member that only joins again is handed its old assignment.
func (p *Processor) reassign(ctx context.Context) error {
	for _, w := range p.workers {
		if w.tasks.owns(0) == nil {
			continue
		}
		p.unread.since = nil
		if err := p.leave(ctx, []string{w.seatName}); err != nil {
			return err
		}
		w.fail(errUnread)
	}
	return nil
}

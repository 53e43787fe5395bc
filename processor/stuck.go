package processor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// commandPatience is how long a command's transaction may be open. It writes a few
// records at once, so longer than that it is one of a command that was killed: until it is
// decided, nobody reads what stands behind it in the inboxes and the control topic, and
// brokers give it up after its timeout and up to ten seconds more.
const commandPatience = 3 * time.Second

// commandID is the transactional id of those who write definitions and jobs.
func (o *Options) commandID() string { return o.Config.App + "-apply" }

// watchCommands ends what a command has left open that was killed, until ctx ends.
func (p *Processor) watchCommands(ctx context.Context) {
	for last := ""; sleep(ctx, commandPatience); {
		if !slices.Contains(p.numbers(), 0) {
			last = ""
			continue
		}
		open, err := p.o.openCommand(ctx)
		if err != nil {
			p.o.Log.Debug("looking for transactions of commands", "error", kafka.Explain(err))
			continue // the broker's timeout does it
		}
		if open != "" && open == last {
			p.o.Log.Warn("a command was killed in its transaction; ending that", "transactional_id", p.o.commandID())
			if err := p.o.fence(ctx, p.o.commandID()); err != nil && ctx.Err() == nil {
				p.o.Log.Warn("the transaction of a command has to be waited for", "error", err)
			}
			open = ""
		}
		last = open
	}
}

// openCommand names the transaction that a command has open, empty if none has.
func (o *Options) openCommand(ctx context.Context) (string, error) {
	described, err := kadm.NewClient(o.Client).DescribeTransactions(ctx, o.commandID())
	if err != nil {
		return "", err
	}
	t := described[o.commandID()]
	if t.State != "Ongoing" { // there may be none of that id
		return "", nil
	}
	return fmt.Sprint(t.ProducerID, t.ProducerEpoch, t.StartTimestamp), nil
}

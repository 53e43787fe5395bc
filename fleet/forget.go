package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// ForgetRequest says who is to be forgotten.
type ForgetRequest struct {
	Identity impression.Identity
	Users    []string // each once; valid UTF-8
	Trait    string   // the only one to forget; empty: all
	// Avro reads the traits topic where it is in that format; nil: it is JSON.
	Avro *schemas.Avro
	// Progress is told, about once a second, how many of the users are forgotten. It
	// may be nil.
	Progress func(done, users int)
}

// ErrNotForgotten says that commands were sent and not all are carried out yet. They
// stay where they are until a worker has done them.
var ErrNotForgotten = errors.New("not all commands are carried out")

// ErrNoReceipt says that all commands are carried out, and that what they removed
// could not be read.
var ErrNoReceipt = errors.New("all are forgotten, and there is no receipt: reading what was removed")

// forgetInterval is how often it is looked how far the commands are.
const forgetInterval = 250 * time.Millisecond

// Forget sends a command for each user to the user's task, waits until the group has
// committed what they do, and reads what that was from the topics themselves. So the
// receipt tells of what readers of committed records see, whatever crashed
// meanwhile. When ctx ends first, the error is an ErrNotForgotten, and the commands
// stand; if all was done by then, an ErrNoReceipt.
func (f *Fleet) Forget(ctx context.Context, req ForgetRequest) (*Receipt, error) {
	r := &forgetting{Fleet: f, req: req, byKey: map[string]int{}, byMarker: map[schemas.MarkerKey]int{}}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	if err := r.send(ctx); err != nil {
		return nil, fmt.Errorf("sending commands to %s: %w", f.Topics.Inbox.Name, kafka.Explain(err))
	}
	if err := r.wait(ctx); err != nil {
		return nil, err
	}
	if err := r.read(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoReceipt, err)
	}
	if err := r.checkMarkers(); err != nil {
		return nil, err
	}
	return &r.receipt, nil
}

// partition names one of a topic.
type partition struct {
	topic  string
	number int32
}

// forgetting is a request under way.
type forgetting struct {
	*Fleet
	req      ForgetRequest
	receipt  Receipt
	byKey    map[string]int            // users by what their state keys begin with
	byMarker map[schemas.MarkerKey]int // users by their marker
	starts   map[partition]int64       // the ends of the outputs before the first command
}

func (f *forgetting) key(user string) trait.Key {
	k := trait.Key{Identity: f.req.Identity, User: []byte(user)}
	if f.req.Trait != "" {
		k.Trait = []byte(f.req.Trait)
	}
	return k
}

// begin notes where the outputs end, which is before all that the commands do.
func (f *forgetting) begin(ctx context.Context) error {
	f.receipt.App, f.starts = f.Config.App, map[partition]int64{}
	for i, user := range f.req.Users {
		u := ForgottenUser{Identity: f.req.Identity.String(), ID: user, Traits: []ForgottenTrait{}, State: []ForgottenState{}}
		if f.req.Trait != "" {
			u.Trait = &f.req.Trait
		}
		f.receipt.Users = append(f.receipt.Users, u)
		f.byKey[string(schemas.UserPrefix(nil, f.req.Identity, []byte(user)))] = i
		f.byMarker[schemas.MarkerKeyOf(f.Config.App, f.key(user))] = i
	}
	for p := range f.partitions() {
		for _, topic := range f.outputs() {
			_, end, err := f.LogRange(ctx, topic, p)
			if err != nil {
				return err
			}
			f.starts[partition{topic, p}] = end
		}
	}
	return nil
}

func (f *forgetting) outputs() []string {
	return []string{f.Topics.Changelog.Name, f.Topics.Traits.Name}
}

// partitions are the tasks of the users.
func (f *forgetting) partitions() map[int32]bool {
	all := map[int32]bool{}
	for _, user := range f.req.Users {
		all[kafka.Partition([]byte(user), f.Topics.Tasks)] = true
	}
	return all
}

func (f *forgetting) send(ctx context.Context) error {
	c := schemas.Command{Kind: schemas.Forget, Identity: f.req.Identity}
	if f.req.Trait != "" {
		c.Trait = []byte(f.req.Trait)
	}
	headers := RecordHeaders(c.Headers())
	for part := range slices.Chunk(f.receipt.Users, 1000) {
		records := make([]*kgo.Record, len(part))
		for i := range part {
			user := []byte(part[i].ID)
			records[i] = &kgo.Record{
				Topic: f.Topics.Inbox.Name, Partition: kafka.Partition(user, f.Topics.Tasks),
				Key: user, Headers: headers, Timestamp: time.Now(),
			}
		}
		if err := f.Client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
		for i, r := range records {
			part[i].Command = LogPlace{r.Topic, r.Partition, r.Offset}
		}
	}
	return nil
}

// wait returns when the group has committed all commands. Their offsets commit with
// what they have done.
func (f *forgetting) wait(ctx context.Context) error {
	for told := time.Now(); ; {
		m, err := f.Measure(ctx)
		done := 0
		if err == nil {
			for i := range f.receipt.Users {
				at := f.receipt.Users[i].Command
				if c, ok := m.Committed.Lookup(at.Topic, at.Partition); ok && c.At > at.Offset {
					done++
				}
			}
		}
		switch {
		case err != nil && !kafka.IsRetriable(err) && ctx.Err() == nil:
			return fmt.Errorf("looking up how far group %s is: %w", f.Config.Group(), kafka.Explain(err))
		case done == len(f.receipt.Users):
			return nil
		}
		if f.req.Progress != nil && time.Since(told) >= time.Second {
			told = time.Now()
			f.req.Progress(done, len(f.receipt.Users))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d", ErrNotForgotten, done, len(f.receipt.Users))
		case <-time.After(forgetInterval):
		}
	}
}

// read looks in the outputs for what was done with the users. Their ends are looked
// up after the commands were committed.
func (f *forgetting) read(ctx context.Context) error {
	for p, start := range f.starts {
		_, end, err := f.LogRange(ctx, p.topic, p.number)
		if err != nil {
			return err
		}
		take := f.change
		if p.topic == f.Topics.Changelog.Name {
			take = f.logged
		}
		if err := kafka.ReadPartition(ctx, f.Client, p.topic, p.number, start, end, take); err != nil {
			return err
		}
	}
	return nil
}

// checkMarkers tells of a command that is committed and has left no marker.
func (f *forgetting) checkMarkers() error {
	for i := range f.receipt.Users {
		if u := &f.receipt.Users[i]; u.Marker.Topic == "" {
			return fmt.Errorf("the command for %s, %s partition %d, offset %d, was passed and not carried out: "+
				"the dead letters may tell why", u.ID, u.Command.Topic, u.Command.Partition, u.Command.Offset)
		}
	}
	return nil
}

// logged takes a record of the changelog.
func (f *forgetting) logged(r *kgo.Record) error {
	if key, ok := schemas.ParseMarkerKey(r.Key); ok {
		i, ours := f.byMarker[key]
		if m, err := schemas.DecodeMarker(r.Value); ours && err == nil {
			f.receipt.Users[i].Marker = placeOf(r)
			f.receipt.Users[i].RefusedUntil = schemas.FormatTime(m.Until)
		}
		return nil
	}
	i, ours := f.byKey[string(schemas.UserPart(r.Key))]
	if key, err := schemas.DecodeStateKey(r.Key); ours && err == nil && r.Value == nil && f.wants(key) {
		u := &f.receipt.Users[i]
		u.State = append(u.State, ForgottenState{string(key.Trait), placeOf(r)})
	}
	return nil
}

// change takes a record of the traits topic.
func (f *forgetting) change(r *kgo.Record) error {
	if r.Value != nil || valueOf(r, schemas.HeaderReason) != trait.Forgotten {
		return nil
	}
	text := r.Key
	if f.req.Avro != nil {
		var err error
		if text, err = f.req.Avro.Key(r.Key); err != nil {
			return err
		}
	}
	key, err := schemas.DecodeKey(text)
	if err != nil || !f.wants(key) {
		return nil //nolint:nilerr // it is none of the program's
	}
	if i, ours := f.byKey[string(schemas.UserPrefix(nil, key.Identity, key.User))]; ours {
		u := &f.receipt.Users[i]
		u.Traits = append(u.Traits, ForgottenTrait{string(key.Trait), valueOf(r, schemas.HeaderChangeID), placeOf(r)})
	}
	return nil
}

func (f *forgetting) wants(k trait.Key) bool {
	return f.req.Trait == "" || f.req.Trait == string(k.Trait)
}

func placeOf(r *kgo.Record) LogPlace { return LogPlace{r.Topic, r.Partition, r.Offset} }

// valueOf returns a header's text, empty where it is not there.
func valueOf(r *kgo.Record, header string) string {
	for _, h := range r.Headers {
		if h.Key == header {
			return string(h.Value)
		}
	}
	return ""
}

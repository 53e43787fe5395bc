package explorer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// Topic tells what the traits topic has of a user, as a reader of committed records
// sees it. That is the last change of each trait, as far as the topic still has it,
// and not when a value was seen again.
type Topic struct {
	Client *kgo.Client
	Topic  kafka.Topic // the traits topic
	// Avro is how it is written; nil: in JSON.
	Avro *schemas.Avro
}

// All tells of all traits of a user, removed ones too.
func (t *Topic) All(ctx context.Context, u state.User) (*User, error) {
	origin := Origin{Kind: FromTopic, Task: t.partition(u), Topic: t.Topic.Name}
	user := &User{Identity: u.Identity.String(), ID: u.ID, Traits: []Trait{}, Origin: origin}
	last, err := t.read(ctx, u, t.prefix(u))
	if err != nil {
		return nil, err
	}
	for _, r := range last {
		one, err := t.told(r)
		if err != nil {
			return nil, err
		}
		user.Traits = append(user.Traits, *one)
	}
	slices.SortFunc(user.Traits, func(a, b Trait) int { return cmp.Compare(a.Trait, b.Trait) })
	return user, nil
}

// One tells of one trait.
func (t *Topic) One(ctx context.Context, u state.User, name string) (*Trait, error) {
	key := t.key(trait.Key{Identity: u.Identity, User: []byte(u.ID), Trait: []byte(name)})
	last, err := t.read(ctx, u, key)
	if err != nil {
		return nil, err
	}
	if r := last[string(key)]; r != nil {
		return t.told(r)
	}
	origin := Origin{Kind: FromTopic, Task: t.partition(u), Topic: t.Topic.Name}
	return &Trait{Identity: u.Identity.String(), ID: u.ID, Trait: name, State: Unknown, Origin: origin}, nil
}

func (t *Topic) partition(u state.User) int32 {
	return kafka.Partition([]byte(u.ID), t.Topic.Partitions)
}

func (t *Topic) key(k trait.Key) []byte {
	if t.Avro != nil {
		return t.Avro.AppendKey(nil, k)
	}
	return schemas.AppendKey(nil, k)
}

// prefix is what all keys of a user begin with. Keys are canonical, and end with
// the trait.
func (t *Topic) prefix(u state.User) []byte {
	key := t.key(trait.Key{Identity: u.Identity, User: []byte(u.ID)})
	end := `""}`
	if t.Avro != nil {
		end = "\x00" // the length of no text
	}
	return bytes.TrimSuffix(key, []byte(end))
}

// read returns the last record under each key that begins so, of the user's
// partition as it stands now.
func (t *Topic) read(ctx context.Context, u state.User, prefix []byte) (map[string]*kgo.Record, error) {
	partition, name := t.partition(u), t.Topic.Name
	starts, err := kadm.NewClient(t.Client).ListStartOffsets(ctx, name)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the start of %s: %w", name, kafka.Explain(err))
	}
	ends, err := kadm.NewClient(t.Client).ListEndOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the end of %s: %w", name, kafka.Explain(err))
	}
	start, _ := starts.Lookup(name, partition)
	end, _ := ends.Lookup(name, partition)
	last := map[string]*kgo.Record{}
	err = kafka.ReadPartition(ctx, t.Client, name, partition, start.Offset, end.Offset, func(r *kgo.Record) error {
		if bytes.HasPrefix(r.Key, prefix) {
			last[string(r.Key)] = r
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return last, nil
}

// told reads a record of the topic.
func (t *Topic) told(r *kgo.Record) (*Trait, error) {
	one, err := t.decode(r)
	if err != nil {
		return nil, fmt.Errorf("%s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	one.ChangeTimestamp = timeOf(r.Timestamp)
	one.Origin = Origin{Kind: FromTopic, Task: r.Partition, Topic: r.Topic, Offset: &r.Offset}
	return one, nil
}

func (t *Topic) decode(r *kgo.Record) (*Trait, error) {
	key, value := r.Key, r.Value
	var err error
	if t.Avro != nil {
		if key, err = t.Avro.Key(key); err != nil {
			return nil, err
		}
		if value, err = t.Avro.Value(value); err != nil {
			return nil, err
		}
	}
	k, err := schemas.DecodeKey(key)
	if err != nil {
		return nil, err
	}
	one := &Trait{Identity: k.Identity.String(), ID: string(k.User), Trait: string(k.Trait), State: Set}
	if value == nil {
		one.removal(r)
		return one, nil
	}
	c, err := schemas.DecodeValue(value)
	if err != nil {
		return nil, err
	}
	one.change(&c.Emission)
	one.SeenAt, one.ChangeID = one.ChangedAt, text(hex.EncodeToString(c.ID[:]))
	return one, nil
}

// states are those that removals leave, by reason.
var states = map[string]State{trait.Forgotten: Forgotten, trait.Expired: Expired, "not_served": NotServed}

// removal takes in what the headers of a removal tell.
func (one *Trait) removal(r *kgo.Record) {
	one.State = Removed
	for _, h := range r.Headers {
		value := string(h.Value)
		switch h.Key {
		case schemas.HeaderReason:
			one.Reason = &value
			if s, ok := states[value]; ok {
				one.State = s
			}
		case schemas.HeaderChangeID:
			one.ChangeID = &value
		}
	}
}

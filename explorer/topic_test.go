package explorer

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// A user's records are told by how their keys begin, and nobody else's are.
func TestPrefix(t *testing.T) {
	text := rapid.OneOf(rapid.StringN(1, -1, 40), rapid.SampledFrom([]string{"a", "a\",\"trait\":\"", "a\\", "\x00", "aa"}))
	rapid.Check(t, func(t *rapid.T) {
		topic := Topic{}
		if rapid.Bool().Draw(t, "avro") {
			topic.Avro = schemas.NewAvro(1, 2, nil)
		}
		user := func(name string) state.User {
			return state.User{Identity: rapid.SampledFrom([]impression.Identity{impression.User, impression.Anonymous}).Draw(t, name+"'s identity"), ID: text.Draw(t, name)}
		}
		one, other := user("one"), user("other")
		key := topic.key(trait.Key{Identity: one.Identity, User: []byte(one.ID), Trait: []byte(text.Draw(t, "trait"))})
		if !bytes.HasPrefix(key, topic.prefix(one)) {
			t.Fatalf("%q does not begin with %q", key, topic.prefix(one))
		}
		if bytes.HasPrefix(key, topic.prefix(other)) != (one == other) {
			t.Fatalf("%q begins with %q", key, topic.prefix(other))
		}
	})
}

// What can't be read is told with its place, and a removal by its reason.
func TestTopicTells(t *testing.T) {
	topic := Topic{}
	key := topic.key(trait.Key{Identity: impression.User, User: []byte("ann"), Trait: []byte("f")})
	for reason, want := range map[string]State{
		trait.Forgotten: Forgotten, trait.Expired: Expired, "not_served": NotServed, "definition_removed": Removed, "": Removed,
	} {
		one, err := topic.told(&kgo.Record{Topic: "traits", Key: key, Headers: []kgo.RecordHeader{
			{Key: schemas.HeaderReason, Value: []byte(reason)}, {Key: schemas.HeaderChangeID, Value: []byte("id")},
		}})
		if err != nil || one.State != want || one.Value != nil || *one.ChangeID != "id" || *one.Reason != reason {
			t.Errorf("%q: %+v, %v", reason, one, err)
		}
	}
	if one, err := topic.told(&kgo.Record{Topic: "traits", Key: key}); err != nil || one.State != Removed || one.Reason != nil {
		t.Errorf("without headers: %+v, %v", one, err)
	}
	for _, r := range []*kgo.Record{{Key: []byte("{")}, {Key: key, Value: []byte("{}")}} {
		r.Topic, r.Partition, r.Offset = "traits", 2, 7
		if one, err := topic.told(r); err == nil || !bytes.Contains([]byte(err.Error()), []byte("traits, partition 2, offset 7: ")) {
			t.Errorf("%s: %+v, %v", r.Value, one, err)
		}
	}
}

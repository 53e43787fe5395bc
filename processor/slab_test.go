package processor

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// Records and headers stay as they are while others come, and are let go of.
func TestSlab(t *testing.T) {
	var s slab
	for range 2 {
		var records []*kgo.Record
		for i := range 1000 {
			headers := s.headers([]schemas.Header{{Key: "a", Value: []byte{byte(i)}}, {Key: "b"}})
			records = append(records, s.record(kgo.Record{Partition: int32(i), Headers: headers}))
		}
		for i, r := range records {
			if r.Partition != int32(i) || len(r.Headers) != 2 || r.Headers[0].Value[0] != byte(i) || r.Headers[1].Key != "b" {
				t.Fatalf("record %d is %+v", i, r)
			}
		}
		s.reset()
	}
	if last := s.all[:1000][999]; last.Headers != nil || s.named[:1][0].Value != nil {
		t.Error("the slab holds on to what was in it")
	}
	for range keptRecords + 1 {
		s.record(kgo.Record{})
	}
	if s.reset(); cap(s.all) > 0 {
		t.Error("a large transaction leaves its memory behind")
	}
}

// A change takes no memory of its own once a transaction of its size was made.
func TestChangeDoesNotAllocate(t *testing.T) {
	o := &Options{Fleet: fleet.Fleet{
		Config: &config.Config{App: "app"},
		Topics: &kafka.Topics{Traits: kafka.Topic{Name: "traits"}, Changelog: kafka.Topic{Name: "changelog"}},
	}}
	b := newOutbox(o, newTally(), nil)
	key := trait.Key{Identity: impression.User, User: []byte("ann"), Trait: []byte("new_checkout")}
	rec := &trait.Record{Emitted: trait.Emission{Sent: true, Value: []byte(`"on"`), SeenAt: noon}}
	transaction := func() {
		for range 100 {
			if !b.change(1, key, rec) {
				t.Fatal("the change is refused")
			}
		}
		for _, r := range b.records {
			b.produced(r, nil)
		}
		b.reset()
	}
	transaction()
	if n := testing.AllocsPerRun(10, transaction); n > 0 {
		t.Errorf("%v allocations", n)
	}

	// A record that failed stays as it is: the client may still look at it.
	b.change(1, key, rec)
	failed := b.records[0]
	b.produced(failed, errProducing)
	b.reset()
	if b.change(2, key, rec); failed.Partition != 1 {
		t.Error("the memory of a record that failed was used again")
	}
}

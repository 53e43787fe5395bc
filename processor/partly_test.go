package processor

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A source that was created again begins anew in each of its partitions, also
// when they come one by one, and the place in the old one is gone from the group
// before its id is forgotten.
func TestRecreatedPartitionsComeOneByOne(t *testing.T) {
	w, _ := newFaultyWorld(t, "", 2)
	m := w.member(t.TempDir())
	defer m.close()
	s := &starts{o: &m.o, joined: closed()}
	renew := func() { // a client that has not seen the old topic
		client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup(w.cfg.Group()), kgo.ConsumeTopics("none")}, w.connect...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		s.client = client
	}
	renew()
	adm, group := kadm.NewClient(w.client), w.cfg.Group()
	adjust := func(at map[int32]int64) map[int32]int64 {
		t.Helper()
		ask := map[int32]kgo.Offset{}
		for p, offset := range at {
			ask[p] = kgo.NewOffset().At(offset)
		}
		got, err := s.adjust(t.Context(), map[string]map[int32]kgo.Offset{"impressions": ask})
		if err != nil {
			t.Fatal(err)
		}
		out := map[int32]int64{}
		for p, o := range got["impressions"] {
			out[p] = o.EpochOffset().Offset
		}
		return out
	}
	fill := func(w *world) {
		for p := range int32(2) {
			for i := range 3 {
				r := w.webhook("u", "f", "on", int64(i))
				r.Partition = p
				w.put(r)
			}
		}
	}
	fill(w)
	place := kadm.Offsets{}
	place.AddOffset("impressions", 0, 2, -1)
	place.AddOffset("impressions", 1, 2, -1)
	if err := adm.CommitAllOffsets(t.Context(), group, place); err != nil {
		t.Fatal(err)
	}
	adjust(map[int32]int64{0: 2, 1: 2})
	if _, err := adm.DeleteTopic(t.Context(), "impressions"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(t.Context(), 2, 1, nil, "impressions"); err != nil {
		t.Fatal(err)
	}
	renew()
	fresh := newWorldAt(t, "", 2, w.cfg.Kafka.Brokers)
	fill(fresh)
	adm, m.o.Client = kadm.NewClient(fresh.client), fresh.client
	if err := adm.CommitAllOffsets(t.Context(), group, place); err != nil { // as if they had stayed
		t.Fatal(err)
	}
	if at := adjust(map[int32]int64{0: 2}); at[0] != 0 {
		t.Errorf("partition 0 begins at %d", at[0])
	}
	known, err := adm.FetchOffsetsForTopics(t.Context(), group, "impressions")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := known.Lookup("impressions", 0); o.At != 0 {
		t.Errorf("after a crash partition 0 would begin at %d", o.At)
	}
	if at := adjust(map[int32]int64{1: 2}); at[1] != 0 {
		t.Errorf("partition 1 begins at %d", at[1])
	}
}

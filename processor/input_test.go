package processor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// input makes impressions at random: of a few users and flags, so that they
// meet, out of order, repeated, some not served, some bad. Source a is keyed by
// user for the users that begin with "k"; whoever else comes, comes anywhere.
type input struct {
	*rand.Rand
	b     *bubble
	clock int64 // of what is seen, ms after noon
	past  []*kgo.Record
	// live has most impressions seen in the last half minute, not all at noon.
	live bool
	// steady makes most impressions say what the one before said.
	steady bool
}

func newInput(b *bubble, seed uint64) *input {
	return &input{Rand: rand.New(rand.NewPCG(seed, 1)), b: b}
}

// put produces n records.
func (in *input) put(n int) {
	in.b.t.Helper()
	if in.live {
		in.clock = max(in.clock, time.Since(time.UnixMilli(noon)).Milliseconds())
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = in.record()
	}
	in.b.put(records...)
}

func (in *input) record() *kgo.Record {
	if len(in.past) > 0 && in.IntN(8) == 0 { // a duplicate
		r := in.past[in.IntN(len(in.past))]
		return &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	}
	user := fmt.Sprintf("k%d", in.IntN(12))
	r := &kgo.Record{
		Topic: "a", Partition: kafka.Partition([]byte(user), in.b.topics.Tasks), Key: []byte(user),
		Value: []byte(in.impression(user)),
	}
	switch in.IntN(6) {
	case 0, 1: // anywhere, without a key
		r.Topic = []string{"a", "b"}[in.IntN(2)]
		r.Partition, r.Key = in.Int32N(in.b.topics.Sources[r.Topic].Partitions), nil
		r.Value = []byte(in.impression(in.stray()))
	case 2: // several users
		all := make([]string, in.IntN(4))
		for i := range all {
			all[i] = in.impression(in.stray())
		}
		r.Topic, r.Partition, r.Key = "b", in.Int32N(in.b.topics.Sources["b"].Partitions), nil
		r.Value = []byte("[" + strings.Join(all, ",") + "]")
	}
	r.Timestamp = time.UnixMilli(noon + in.clock)
	in.past = append(in.past, r)
	return r
}

// stray is a user whose impressions come anywhere.
func (in *input) stray() string { return fmt.Sprintf("s%d", in.IntN(6)) }

func (in *input) impression(user string) string {
	in.clock += in.Int64N(5)
	spread := int64(40)
	if in.live {
		spread = 30_000
	}
	if in.IntN(40) == 0 {
		return fmt.Sprintf(`{"key":%q,"split":"f"}`, user) // lacks treatment and time
	}
	treatment := []string{"on", "off", "v3", "control"}[in.IntN(4)]
	if in.steady && in.IntN(10) > 0 {
		treatment = "on"
	}
	return fmt.Sprintf(`{"key":%q,"split":"f%d","treatment":%q,"time":%d,"label":"default rule","splitVersionNumber":%d}`,
		user, in.IntN(3), treatment, noon+in.clock-in.Int64N(spread), in.IntN(2))
}

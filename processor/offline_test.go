package processor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/kafka"
)

// A partition without a leader keeps nobody from reading the others, also where
// the group gives them out meanwhile, and is read when it has one again.
func TestPartitionWithoutALeader(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{session_timeout", "{workers: 1, session_timeout", 1)
	inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 4)
		in.put(50)
		dir := b.t.TempDir()
		b.start(dir, nil)
		b.settle()
		offline := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Partitions: []int32{1},
			Err: kerr.LeaderNotAvailable, Count: -1})
		b.start(b.t.TempDir(), nil)
		b.pass(time.Minute)
		for i := range 5 {
			b.put(b.webhook(fmt.Sprint("user", i), "f", "on", 0))
		}
		b.pass(time.Minute)
		if got := b.changes(); len(got["user/user0/f"])+len(got["user/user1/f"])+len(got["user/user2/f"])+len(got["user/user3/f"])+len(got["user/user4/f"]) != 5 {
			b.t.Errorf("while it is without: %v", got)
		}
		offline.Remove()
		b.settle()
		b.check(dir)
	})
}

// Nor does it keep a process from starting.
func TestStartWithAPartitionWithoutALeader(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		details, err := kadm.NewClient(b.client).Metadata(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		lost := details.Topics["b"].Partitions[1]
		lost.Leader, lost.Err = -1, kerr.LeaderNotAvailable
		details.Topics["b"].Partitions[1] = lost
		b.cluster.ControlKey(kmsg.Metadata.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			return metadataOf(r.(*kmsg.MetadataRequest), details), nil, true
		})
		got, err := kafka.EnsureTopics(b.t.Context(), b.client, b.cfg, kafka.Creation{Own: true})
		if err != nil || got.Sources["b"].Partitions != 5 || got.Tasks != 3 {
			b.t.Errorf("the topics are %+v, %v", got, err)
		}
	})
}

// metadataOf answers a question for topics.
func metadataOf(req *kmsg.MetadataRequest, m kadm.Metadata) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	for _, broker := range m.Brokers {
		one := kmsg.NewMetadataResponseBroker()
		one.NodeID, one.Host, one.Port = broker.NodeID, broker.Host, broker.Port
		resp.Brokers = append(resp.Brokers, one)
	}
	for _, asked := range req.Topics {
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.TopicID = asked.Topic, m.Topics[*asked.Topic].ID
		for _, p := range m.Topics[*asked.Topic].Partitions {
			one := kmsg.NewMetadataResponseTopicPartition()
			one.Partition, one.Leader, one.LeaderEpoch = p.Partition, p.Leader, p.LeaderEpoch
			if p.Err != nil {
				one.ErrorCode = p.Err.(*kerr.Error).Code //nolint:errorlint // put in above
			}
			topic.Partitions = append(topic.Partitions, one)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

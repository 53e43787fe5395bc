package main

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A start waits for what a leader that was just elected does not tell yet, and ends
// with what no wait helps against.
func TestFirstRecordWaits(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	refuse := func(code int16, times int) (refused *int) {
		refused = new(int)
		cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			if *refused == times {
				return nil, nil, false
			}
			cluster.KeepControl()
			*refused++
			req, _ := r.(*kmsg.ListOffsetsRequest)
			resp, _ := req.ResponseKind().(*kmsg.ListOffsetsResponse)
			for _, topic := range req.Topics {
				answer := kmsg.ListOffsetsResponseTopic{Topic: topic.Topic}
				for _, p := range topic.Partitions {
					answer.Partitions = append(answer.Partitions, kmsg.ListOffsetsResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
				}
				resp.Topics = append(resp.Topics, answer)
			}
			return resp, nil, true
		})
		return refused
	}
	refused := refuse(kerr.OffsetNotAvailable.Code, 3)
	r, err := firstRecord(t.Context(), cl, "t", slog.New(slog.DiscardHandler))
	if err != nil || r == nil || string(r.Value) != "v" || *refused != 3 {
		t.Errorf("it gives %v, %v after %d refusals", r, err, *refused)
	}
	refuse(kerr.TopicAuthorizationFailed.Code, 1000)
	if r, err := firstRecord(t.Context(), cl, "t", slog.New(slog.DiscardHandler)); err == nil {
		t.Errorf("without the right it gives %v", r)
	}
}

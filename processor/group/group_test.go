package group

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a client with the balancer says of itself is there for whoever describes
// the group.
func TestMemberInDescribedGroup(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "inbox"),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	want := Member{Process: "a1", Worker: 2, Run: "r", HTTP: "127.0.0.1:8080"}
	assigned := make(chan map[string][]int32, 1)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.ConsumerGroup("app"), kgo.ConsumeTopics("inbox"), kgo.InstanceID("a1-2"),
		kgo.Balancers(Balancer{Tasks: 2, Member: want}),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { assigned <- got }),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := <-assigned; len(got["inbox"]) != 2 {
		t.Errorf("assigned %v, want both partitions", got)
	}
	groups, err := kadm.NewClient(client).DescribeGroups(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range groups["app"].Members {
		meta, ok := m.Join.AsConsumer()
		if !ok {
			t.Fatalf("member %s has no consumer metadata", m.MemberID)
		}
		if got, ok := ParseMember(meta.UserData); !ok || got != want {
			t.Errorf("the group says %+v, %v; want %+v", got, ok, want)
		}
	}
	if len(groups["app"].Members) != 1 {
		t.Errorf("the group has %d members, want 1", len(groups["app"].Members))
	}
}

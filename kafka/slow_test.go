package kafka

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that has not heard of a new topic yet is asked again for its
// settings: another one has told of the topic.
func TestDescribeAsksASlowBrokerAgain(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "in", 2, map[string]string{"retention.ms": "5000"})
	asked := 0
	e.cluster.ControlKey(kmsg.DescribeConfigs.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		e.cluster.KeepControl()
		if asked++; asked > 2 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		one := kmsg.NewDescribeConfigsResponseResource()
		one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeTopic, "in"
		one.ErrorCode = kerr.UnknownTopicOrPartition.Code
		resp.Resources = append(resp.Resources, one)
		return resp, nil, true
	})
	found, err := Describe(limit(t), cl, "in")
	if err != nil || found["in"].Config["retention.ms"] != "5000" {
		t.Errorf("got %v, %v", found, err)
	}
}

// Topics that others have created a moment ago decide about the number of
// tasks, though the broker that is asked after that may not know of them.
func TestEnsureTopicsAsksASlowBrokerAgain(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "in", 2, nil)
	createTopic(t, cl, "app-last-seen-changelog", 3, map[string]string{"cleanup.policy": "compact"})
	var created, told bool
	e.cluster.ControlKey(kmsg.CreateTopics.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		created = true
		return nil, nil, false
	})
	e.cluster.ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		e.cluster.KeepControl()
		if !created || told || !slices.ContainsFunc(req.(*kmsg.MetadataRequest).Topics, func(t kmsg.MetadataRequestTopic) bool {
			return *t.Topic == "app-last-seen-changelog"
		}) {
			return nil, nil, false
		}
		told = true
		return unheard(t, e.Brokers()[0], req), nil, true
	})
	got, err := EnsureTopics(limit(t), cl, configOf("in"), Creation{Own: true})
	if err != nil || got.Tasks != 3 || !told {
		t.Errorf("got %+v, %v", got, err)
	}
}

// unheard answers a question for topics as a broker does that knows none.
func unheard(t *testing.T, broker string, req kmsg.Request) kmsg.Response {
	t.Helper()
	host, port, err := net.SplitHostPort(broker)
	if err != nil {
		t.Error(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Error(err)
	}
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	one := kmsg.NewMetadataResponseBroker()
	one.Host, one.Port = host, int32(number)
	resp.Brokers = append(resp.Brokers, one)
	for _, asked := range req.(*kmsg.MetadataRequest).Topics {
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

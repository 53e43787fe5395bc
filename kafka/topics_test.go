package kafka

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"traitstream/config"
	"traitstream/impression"
)

// configOf reads the given sources as the app "app".
func configOf(sources ...string) *config.Config {
	cfg := &config.Config{App: "app", Kafka: config.Kafka{ReplicationFactor: -1}}
	for _, s := range sources {
		cfg.Sources = append(cfg.Sources, config.Source{Source: impression.Source{Topic: s}})
	}
	return cfg
}

// settings are those of a topic that the program sets.
func settings(t Topic) map[string]string {
	own := maps.Clone(t.Config)
	maps.DeleteFunc(own, func(k, _ string) bool {
		return !slices.Contains([]string{"cleanup.policy", "retention.ms", "max.message.bytes", "delete.retention.ms"}, k)
	})
	return own
}

func TestEnsureTopicsCreates(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "small", 2, nil)
	createTopic(t, cl, "large", 5, map[string]string{"max.message.bytes": "2000000"})
	cfg := configOf("small", "large")
	cfg.Output.Config = map[string]string{"delete.retention.ms": "604800000"}

	planned, err := EnsureTopics(limit(t), cl, cfg, Creation{})
	if err != nil {
		t.Fatal(err)
	}
	if !planned.Inbox.Missing || planned.Tasks != 5 {
		t.Errorf("planned: %+v", planned)
	}
	for range 2 { // the second time all is there
		got, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true})
		if err != nil {
			t.Fatal(err)
		}
		if got.Tasks != 5 || got.Sources["small"].Partitions != 2 || got.Sources["large"].MaxMessageBytes != 2000000 || got.Warnings != nil {
			t.Errorf("got %+v", got)
		}
		const bytes, unset = "2065536", "604800000" // as Kafka's default is
		for _, tt := range []struct {
			got                          Topic
			name, policy, keep, dropKeys string
		}{
			{got.Traits, "app-traits", "compact", unset, "604800000"},
			{got.Changelog, "app-last-seen-changelog", "compact", unset, "86400000"},
			{got.Inbox, "app-inbox", "delete", "-1", "86400000"},
			{got.DeadLetters, "app-dead-letters", "delete", "2592000000", "86400000"},
		} {
			want := map[string]string{"cleanup.policy": tt.policy, "retention.ms": tt.keep, "max.message.bytes": bytes, "delete.retention.ms": tt.dropKeys}
			if tt.got.Name != tt.name || tt.got.Partitions != 5 || tt.got.Missing || !maps.Equal(settings(tt.got), want) {
				t.Errorf("%s: %v, %v, want %v", tt.name, tt.got, settings(tt.got), want)
			}
		}
	}
}

func TestEnsureTopicsChoosesTheTasks(t *testing.T) {
	for name, tt := range map[string]struct {
		exists     map[string]int32
		partitions int32 // output.partitions
		tasks      int32
	}{
		"largest source":     {map[string]int32{"a": 3, "b": 7}, 0, 7},
		"as configured":      {map[string]int32{"a": 3, "b": 7}, 4, 4},
		"as the rest exists": {map[string]int32{"a": 3, "b": 7, "app-inbox": 2}, 0, 2},
		"created source":     {map[string]int32{"a": 3}, 0, 6},
		"configured source":  {map[string]int32{"a": 3}, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			e := startBroker(t, EmbeddedOptions{})
			cl := newClient(t, e.Brokers())
			for topic, n := range tt.exists {
				createTopic(t, cl, topic, n, map[string]string{"retention.ms": "-1"})
			}
			cfg := configOf("a", "b")
			cfg.Output.Partitions = tt.partitions
			got, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true, Sources: 6})
			if err != nil {
				t.Fatal(err)
			}
			if got.Tasks != tt.tasks || got.Traits.Partitions != tt.tasks || got.Inbox.Partitions != tt.tasks {
				t.Errorf("got %+v", got)
			}
			if _, exists := tt.exists["b"]; !exists && got.Sources["b"].Partitions != tt.tasks {
				t.Errorf("created %v", got.Sources["b"])
			}
		})
	}
}

// existing are topics as EnsureTopics would create them, which a test changes.
func existing() map[string]Topic {
	compact := map[string]string{"cleanup.policy": "compact"}
	return map[string]Topic{
		"impressions":             {Partitions: 3},
		"app-traits":              {Partitions: 3, Config: compact},
		"app-last-seen-changelog": {Partitions: 3, Config: compact},
		"app-inbox":               {Partitions: 3, Config: map[string]string{"retention.ms": "-1"}},
		"app-dead-letters":        {Partitions: 3},
	}
}

func TestEnsureTopicsChecks(t *testing.T) {
	for name, tt := range map[string]struct {
		topic      string
		partitions int32
		config     map[string]string
		output     int32
		refuse     string
		warn       string
	}{
		"all is well": {topic: "impressions", partitions: 9},
		"tasks differ": {topic: "app-inbox", partitions: 4, config: map[string]string{"retention.ms": "-1"},
			refuse: "topics app-traits (3 partitions), app-last-seen-changelog (3 partitions) and app-inbox (4 partitions) must have the same"},
		"tasks are fixed": {topic: "impressions", partitions: 3, output: 12,
			refuse: "output.partitions is 12, but topic app-last-seen-changelog (3 partitions) exists: the number of tasks is fixed"},
		"changelog deletes": {topic: "app-last-seen-changelog", partitions: 3, config: map[string]string{"cleanup.policy": "compact,delete"},
			refuse: "topic app-last-seen-changelog has cleanup.policy=compact,delete"},
		"changelog is not compacted": {topic: "app-last-seen-changelog", partitions: 3,
			refuse: "--add-config cleanup.policy=compact"},
		"traits are not compacted": {topic: "app-traits", partitions: 3,
			refuse: "topic app-traits has cleanup.policy=delete"},
		"traits delete": {topic: "app-traits", partitions: 3, config: map[string]string{"cleanup.policy": "compact,delete"},
			warn: "topic app-traits has cleanup.policy=compact,delete"},
		"inbox deletes": {topic: "app-inbox", partitions: 3, config: map[string]string{"retention.ms": "604800000"},
			refuse: "topic app-inbox has retention.ms=604800000"},
		"inbox is cut": {topic: "app-inbox", partitions: 3, config: map[string]string{"retention.ms": "-1", "retention.bytes": "100"},
			refuse: "topic app-inbox has retention.bytes=100"},
		"inbox is compacted": {topic: "app-inbox", partitions: 3, config: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"},
			refuse: "topic app-inbox has cleanup.policy=compact"},
		"the control topic is not compacted": {topic: "app-control", partitions: 1, config: map[string]string{"cleanup.policy": "delete"},
			refuse: "topic app-control has cleanup.policy=delete"},
		"dead letters are compacted": {topic: "app-dead-letters", partitions: 3, config: map[string]string{"cleanup.policy": "compact"},
			refuse: "topic app-dead-letters has cleanup.policy=compact"},
		"source takes more": {topic: "impressions", partitions: 3, config: map[string]string{"max.message.bytes": "3000000"},
			warn: "set max.message.bytes of app-inbox to 3065536"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startBroker(t, EmbeddedOptions{})
			cl := newClient(t, e.Brokers())
			topics := existing()
			topics[tt.topic] = Topic{Partitions: tt.partitions, Config: tt.config}
			for name, topic := range topics {
				createTopic(t, cl, name, topic.Partitions, topic.Config)
			}
			cfg := configOf("impressions")
			cfg.Output.Partitions = tt.output
			got, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true})
			if (err != nil) != (tt.refuse != "") || err != nil && !strings.Contains(err.Error(), tt.refuse) {
				t.Errorf("got %v, want %q", err, tt.refuse)
			}
			if warnings := strings.Join(got.Warnings, "\n"); !strings.Contains(warnings, tt.warn) || tt.warn == "" && warnings != "" {
				t.Errorf("warns %q, want %q", warnings, tt.warn)
			}
		})
	}
}

func TestEnsureTopicsNamesTheNearest(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	for _, name := range []string{"impresions", "impressions-eu", "orders", "app-traits"} {
		createTopic(t, cl, name, 1, nil)
	}
	for source, want := range map[string]string{
		"impressions": "source topic impressions does not exist: did you mean impresions or impressions-eu?",
		"zzz":         "source topic zzz does not exist: no topic has a similar name",
		"app-trait":   "source topic app-trait does not exist: no topic has a similar name",
	} {
		_, err := EnsureTopics(limit(t), cl, configOf(source), Creation{Own: true})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if topics, err := Describe(limit(t), cl, "app-inbox"); err != nil || len(topics) != 0 {
		t.Errorf("created in spite of the error: %v, %v", topics, err)
	}
}

// A first run that fails leaves no topic, whose number of partitions the next one
// would have to keep to.
func TestEnsureTopicsAllOrNone(t *testing.T) {
	for name, tt := range map[string]struct {
		inbox  map[string]string // where it exists; nil: it does not
		output map[string]string // output.config
		want   string
	}{
		"a topic that is there is wrong":  {inbox: map[string]string{"cleanup.policy": "compact"}, want: "topic app-inbox has cleanup.policy=compact"},
		"what would be created is wrong":  {output: map[string]string{"cleanup.policy": "delete"}, want: "topic app-traits has cleanup.policy=delete"},
		"the broker refuses the last one": {want: "creating topic app-dead-letters (3 partitions): POLICY_VIOLATION"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newClient(t, startClusterThatRefuses(t, "app-dead-letters"))
			createTopic(t, cl, "impressions", 3, nil)
			want := []string{"impressions"}
			if tt.inbox != nil {
				createTopic(t, cl, "app-inbox", 3, tt.inbox)
				want = []string{"app-inbox", "impressions"}
			}
			cfg := configOf("impressions")
			cfg.Output.Config = tt.output
			if _, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			topics, err := metadata(limit(t), cl)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(topics)); !slices.Equal(got, want) {
				t.Errorf("there are %v", got)
			}
		})
	}
}

// startClusterThatRefuses runs a cluster with a policy against a topic.
func startClusterThatRefuses(t *testing.T, topic string) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.ControlKey(kmsg.CreateTopics.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if r.(*kmsg.CreateTopicsRequest).Topics[0].Topic != topic {
			return nil, nil, false
		}
		refused := kmsg.NewCreateTopicsResponseTopic()
		refused.Topic, refused.ErrorCode = topic, kerr.PolicyViolation.Code
		resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
		resp.Topics = append(resp.Topics, refused)
		return resp, nil, true
	})
	return c.ListenAddrs()
}

func TestEnsureTopicsAtTheSameTime(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	var all sync.WaitGroup
	for range 5 {
		cl := newClient(t, e.Brokers())
		all.Go(func() {
			if _, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{Own: true, Sources: 3}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// restricted is a client whose user has these rights on all topics, and may
// Describe groups.
func restricted(t *testing.T, ops ...kmsg.ACLOperation) *kgo.Client {
	t.Helper()
	var acls []kfake.ACL
	for _, op := range ops {
		acls = append(acls, kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "*",
			Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
	}
	acls = append(acls, kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: "*",
		Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribe, Allow: true})
	brokers := startCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(3, "impressions"),
		kfake.User("PLAIN", "app", "secret", acls...))
	opts, err := Options(config.Kafka{Brokers: brokers, SASL: &config.SASL{Mechanism: "PLAIN", User: "app", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestEnsureTopicsWithoutPermission(t *testing.T) {
	cfg := configOf("impressions")
	cfg.Kafka.ReplicationFactor = 3

	_, err := EnsureTopics(limit(t), restricted(t, kmsg.ACLOperationDescribe), cfg, Creation{Own: true})
	for _, want := range []string{
		"allow this user Create on them",
		"--create --topic app-traits --partitions 3 --replication-factor 3 --config cleanup.policy=compact --config max.message.bytes=1114124",
		"--create --topic app-inbox --partitions 3 --replication-factor 3 --config cleanup.policy=delete --config max.message.bytes=1114124 --config retention.ms=-1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	_, err = EnsureTopics(limit(t), restricted(t), cfg, Creation{})
	if err == nil || !strings.Contains(err.Error(), "allow this user Describe") {
		t.Errorf("not even Describe: %v", err)
	}
}

func TestEnsureTopicsWithHiddenSettings(t *testing.T) {
	cl := restricted(t, kmsg.ACLOperationDescribe, kmsg.ACLOperationCreate)
	cfg := configOf("impressions")
	cfg.Kafka.ReplicationFactor = 1
	got, err := EnsureTopics(limit(t), cl, cfg, Creation{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Changelog.Config != nil || len(got.Warnings) != 3 || !strings.Contains(got.Warnings[0], "allow this user DescribeConfigs") {
		t.Errorf("got %+v", got)
	}
}

// A source whose settings alone are hidden is told of.
func TestCheckWarnsOfHiddenSource(t *testing.T) {
	cfg := configOf("impressions")
	topics := layout(cfg, map[string]Topic{"impressions": {Name: "impressions", Partitions: 3, MaxMessageBytes: defaultMaxMessageBytes}}, nil)
	if err := topics.check(cfg); err != nil {
		t.Fatal(err)
	}
	if w := topics.Warnings; len(w) != 1 || !strings.Contains(w[0], "topic impressions") || !strings.Contains(w[0], "allow this user DescribeConfigs") {
		t.Errorf("warnings: %q", w)
	}
}

func TestCreateTopicsExplains(t *testing.T) {
	cl := newClient(t, startBroker(t, EmbeddedOptions{}).Brokers())
	err := CreateTopics(limit(t), cl, 3, Topic{Name: "t", Partitions: 1})
	if err == nil || !strings.Contains(err.Error(), "kafka.replication_factor") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Describe(ctx, cl, "t"); err == nil {
		t.Error("described in spite of a cancelled context")
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"impresions", "impressions", 1},
		{"kitten", "sitting", 3}, {"ab", "ba", 2},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	word := rapid.StringMatching(`[ab]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if distance(a, b) != distance(b, a) || (distance(a, b) == 0) != (a == b) || distance(a, c) > distance(a, b)+distance(b, c) {
			t.Fatalf("%q, %q and %q: not a metric", a, b, c)
		}
	})
}

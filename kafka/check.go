package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"traitstream/config"
)

// check tells all that keeps the topics from working together, and adds
// warnings to t.
func (t *Topics) check(cfg *config.Config) error {
	err := errors.Join(
		t.checkPartitions(cfg),
		t.checkCompacted(t.Changelog, "without its older records the state cannot be restored"),
		t.checkCompacted(t.Traits, "subscribers that start later would miss the traits of quiet users"),
		t.checkControl(),
		t.checkInbox(),
		t.checkDeadLetters(),
	)
	t.warnOfHidden()
	t.warnOfSizes()
	return err
}

// warnOfHidden warns of sources whose settings are hidden. Who may see no
// settings at all is told so of the program's own topics.
func (t *Topics) warnOfHidden() {
	for _, s := range t.Sources {
		if s.Config == nil && !s.Missing && t.Changelog.Config != nil {
			t.warn("the settings of source topic %s cannot be seen, so they are taken for Kafka's defaults: "+
				"allow this user DescribeConfigs on it", s.Name)
		}
	}
}

func (t *Topics) checkPartitions(cfg *config.Config) error {
	if t.Traits.Partitions != t.Tasks || t.Changelog.Partitions != t.Tasks || t.Inbox.Partitions != t.Tasks {
		return fmt.Errorf("topics %v, %v and %v must have the same number of partitions: "+
			"create those anew that were changed, or name another app", t.Traits, t.Changelog, t.Inbox)
	}
	if want := cfg.Output.Partitions; want > 0 && want != t.Tasks {
		return fmt.Errorf("output.partitions is %d, but topic %v exists: the number of tasks is fixed when the topics are created; "+
			"set output.partitions to %d or leave it out", want, t.Changelog, t.Tasks)
	}
	return nil
}

func (t *Topics) checkCompacted(topic Topic, why string) error {
	if topic.Config == nil {
		t.warn("the settings of topic %s cannot be checked: allow this user DescribeConfigs on it", topic.Name)
		return nil
	}
	policy := topic.Policies()
	switch {
	case !slices.Contains(policy, "compact"), topic.Name == t.Changelog.Name && slices.Contains(policy, "delete"):
		return wrongSetting(topic, "cleanup.policy", "compact", why)
	case slices.Contains(policy, "delete"):
		t.warn("topic %s has cleanup.policy=%s: %s", topic.Name, topic.Config["cleanup.policy"], why)
	}
	return nil
}

func (t *Topics) checkInbox() error {
	if t.Inbox.Config == nil {
		t.warn("the settings of topic %s cannot be checked: allow this user DescribeConfigs on it", t.Inbox.Name)
		return nil
	}
	const why = "forwarded impressions must stay until they are merged"
	if !slices.Equal(t.Inbox.Policies(), []string{"delete"}) {
		return wrongSetting(t.Inbox, "cleanup.policy", "delete", why)
	}
	for _, key := range []string{"retention.ms", "retention.bytes"} {
		if v, ok := t.Inbox.Config[key]; ok && v != "-1" {
			return wrongSetting(t.Inbox, key, "-1", why)
		}
	}
	return nil
}

func (t *Topics) checkControl() error {
	if t.Control.Config != nil && !slices.Equal(t.Control.Policies(), []string{"compact"}) {
		return wrongSetting(t.Control, "cleanup.policy", "compact", "it says by which rules impressions were read, however long ago")
	}
	return nil
}

func (t *Topics) checkDeadLetters() error {
	if slices.Contains(t.DeadLetters.Policies(), "compact") {
		return wrongSetting(t.DeadLetters, "cleanup.policy", "delete", "a compacted topic refuses records without a key")
	}
	return nil
}

// warnOfSizes warns of records that can be read but not passed on.
func (t *Topics) warnOfSizes() {
	for _, s := range t.Sources {
		for _, own := range []Topic{t.Changelog, t.Inbox, t.DeadLetters} {
			if own.MaxMessageBytes < s.MaxMessageBytes {
				t.warn("topic %s takes %d bytes at most, source %s takes %d: larger impressions may be refused; "+
					"set max.message.bytes of %s to %d", own.Name, own.MaxMessageBytes, s.Name, s.MaxMessageBytes,
					own.Name, s.MaxMessageBytes+overhead)
			}
		}
	}
	slices.Sort(t.Warnings)
}

func (t *Topics) warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, fmt.Sprintf(format, args...))
}

// Policies are the topic's cleanup policies, as far as its settings are known.
func (t Topic) Policies() []string {
	var policies []string
	for p := range strings.SplitSeq(t.Config["cleanup.policy"], ",") {
		if p = strings.TrimSpace(p); p != "" {
			policies = append(policies, p)
		}
	}
	return policies
}

func wrongSetting(t Topic, key, want, why string) error {
	return fmt.Errorf("topic %s has %s=%s: %s; set it with "+
		"kafka-configs.sh --bootstrap-server BROKER --alter --entity-type topics --entity-name %s --add-config %s=%s",
		t.Name, key, t.Config[key], why, t.Name, key, want)
}

package config

import (
	"maps"
	"slices"
	"strings"
)

// given tells whether a setting, or one below it, was set.
func (r *reader) given(path string) bool {
	for at := range r.places {
		if at == path || strings.HasPrefix(at, path+".") {
			return true
		}
	}
	return false
}

// place returns where a setting was set, or a variable that sets one below it.
func (r *reader) place(path string) place {
	if at, ok := r.places[path]; ok {
		return at
	}
	for _, below := range slices.Sorted(maps.Keys(r.places)) {
		if strings.HasPrefix(below, path+".") {
			return r.places[below]
		}
	}
	return place{file: r.file, line: 1, column: 1}
}

// check looks at settings that must fit one another.
func (r *reader) check() {
	r.checkTopics()
	if r.config.Kafka.SASL != nil {
		r.checkSASL(*r.config.Kafka.SASL)
	}
	r.checkRegistry()
	if r.given("kafka.tls.cert") != r.given("kafka.tls.key") {
		r.problem(r.place("kafka.tls"), "kafka.tls needs cert and key together, or neither")
	}
}

// checkTopics sees to it that what is written is not read as a source.
func (r *reader) checkTopics() {
	c := r.config
	taken := map[string]string{
		c.Output.Topic:      "the output",
		c.ChangelogTopic():  "the changelog",
		c.InboxTopic():      "the inbox",
		c.ControlTopic():    "the control topic",
		c.DeadLetterTopic(): "the dead letters",
	}
	for _, internal := range []string{c.ChangelogTopic(), c.InboxTopic(), c.ControlTopic(), c.DeadLetterTopic()} {
		if c.Output.Topic == internal {
			r.problem(r.place("output.topic"), "output.topic: %q is %s of app %q; choose another", internal, taken[internal], c.App)
		}
	}
	for i, source := range c.Sources {
		if use, ok := taken[source.Topic]; ok {
			r.problem(r.sourcePlace(i), "topic %q is %s of app %q and cannot be a source", source.Topic, use, c.App)
		}
	}
}

func (r *reader) checkSASL(sasl SASL) {
	at := r.place("kafka.sasl")
	user, password, token := r.given("kafka.sasl.user"), r.given("kafka.sasl.password"), r.given("kafka.sasl.token")
	bearer, aws := sasl.Mechanism == oauthBearer, sasl.Mechanism == awsIAM
	switch {
	case !r.given("kafka.sasl.mechanism"):
		r.problem(at, "kafka.sasl needs a mechanism: %s", alternatives(mechanisms))
	case sasl.Mechanism == "":
		// It was refused already.
	case bearer && !token:
		r.problem(at, "kafka.sasl: OAUTHBEARER needs a token")
	case bearer && (user || password):
		r.problem(at, "kafka.sasl: OAUTHBEARER takes a token, no user and password")
	case aws && user != password:
		r.problem(at, "kafka.sasl: AWS_MSK_IAM takes user (access key) and password (secret key) together, or neither: then the environment tells")
	case !bearer && !aws && (!user || !password):
		r.problem(at, "kafka.sasl: %s needs user and password", sasl.Mechanism)
	case !bearer && token:
		r.problem(at, "kafka.sasl: a token is for OAUTHBEARER; %s takes user and password", sasl.Mechanism)
	}
}

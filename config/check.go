package config

import (
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

// place returns where a setting was set, or the nearest thing to it: the first
// setting below or beside it.
func (r *reader) place(path string) place {
	if at, ok := r.places[path]; ok {
		return at
	}
	parent, _, _ := strings.Cut(path, ".")
	var paths []string
	for path := range r.places {
		if strings.HasPrefix(path, parent+".") {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return place{file: r.file, line: 1, column: 1}
	}
	return r.places[slices.Min(paths)]
}

// check looks at settings that must fit one another.
func (r *reader) check() {
	r.checkTopics()
	if r.config.Kafka.SASL != nil {
		r.checkSASL(*r.config.Kafka.SASL)
	}
	if tls := r.config.Kafka.TLS; tls != nil && (tls.Cert == "") != (tls.Key == "") {
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
	bearer := sasl.Mechanism == OAuthBearer
	switch {
	case !r.given("kafka.sasl.mechanism"):
		r.problem(at, "kafka.sasl needs a mechanism: %s", alternatives([]string{Plain, ScramSHA256, ScramSHA512, OAuthBearer}))
	case sasl.Mechanism == "":
		// It was refused already.
	case bearer && sasl.Token == "":
		r.problem(at, "kafka.sasl: OAUTHBEARER needs a token")
	case bearer && (sasl.User != "" || sasl.Password != ""):
		r.problem(at, "kafka.sasl: OAUTHBEARER takes a token, no user and password")
	case !bearer && (sasl.User == "" || sasl.Password == ""):
		r.problem(at, "kafka.sasl: %s needs user and password", sasl.Mechanism)
	case !bearer && sasl.Token != "":
		r.problem(at, "kafka.sasl: a token is for OAUTHBEARER; %s takes user and password", sasl.Mechanism)
	}
}

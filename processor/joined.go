package processor

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// joinedInputs are the topics that seats have joined for, with their ids; an id
// is empty where it is not known.
type joinedInputs map[string]string

// joinedInputs returns the inputs as they are.
func (o *Options) joinedInputs(ctx context.Context) (joinedInputs, error) {
	ids, _, err := o.TopicIDs(ctx)
	if err != nil {
		return nil, err
	}
	in := joinedInputs{}
	for _, topic := range o.InputTopics() {
		in[topic] = ids[topic]
	}
	return in, nil
}

// parseInputs reads what String wrote, or the release before, which knew names
// alone.
func parseInputs(text string) joinedInputs {
	in := joinedInputs{}
	for word := range strings.SplitSeq(text, ",") {
		if topic, id, _ := strings.Cut(word, "="); topic != "" {
			in[topic] = id
		}
	}
	return in
}

// String writes the inputs down: no topic has a comma or an equals sign in its
// name.
func (in joinedInputs) String() string {
	var words []string
	for _, topic := range slices.Sorted(maps.Keys(in)) {
		word := topic
		if id := in[topic]; id != "" {
			word += "=" + id
		}
		words = append(words, word)
	}
	return strings.Join(words, ",")
}

// differ tells whether these are other topics than the last ones. An id that is
// not known says nothing.
func (in joinedInputs) differ(last joinedInputs) bool {
	for topic, id := range in {
		before, ok := last[topic]
		if !ok || before != "" && id != "" && before != id {
			return true
		}
	}
	return len(in) != len(last)
}

// after returns the inputs with the ids that were known and are not told now.
func (in joinedInputs) after(last joinedInputs) string {
	all := maps.Clone(in)
	for topic, id := range in {
		if id == "" {
			all[topic] = last[topic]
		}
	}
	return all.String()
}

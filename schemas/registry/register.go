package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Subject returns the name under which TopicNameStrategy keeps the schemas of a
// topic's keys or values, which part tells: key or value.
func Subject(topic, part string) string { return topic + "-" + part }

// Register sees to it that the registry has the schemas of a topic's keys and
// values, and returns their ids. What is there already is looked up alone, so a
// user who may only read is enough then. The key's subject may have no other
// schema, since another id would be another key; values may change as far as
// FULL_TRANSITIVE lets them, to which their subject is set where that is allowed.
//
// A registry that is away is waited for, Options.Timeout altogether.
func (c *Client) Register(ctx context.Context, topic, key, value string) (keyID, valueID int32, err error) {
	waiting, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	err = c.patiently(waiting, func() (err error) {
		if keyID, err = c.frozen(waiting, Subject(topic, "key"), key); err != nil {
			return err
		}
		valueID, err = c.evolving(waiting, Subject(topic, "value"), value)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("registering the schemas of %s at %s: %w", topic, c.where(), err)
	}
	return keyID, valueID, nil
}

// Find returns the ids of the schemas of a topic's keys and values, as Register
// does, and writes nothing: that they are not there is an error.
func (c *Client) Find(ctx context.Context, topic, key, value string) (keyID, valueID int32, err error) {
	waiting, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	err = c.patiently(waiting, func() (err error) {
		if keyID, err = c.lookUp(waiting, Subject(topic, "key"), key); err != nil {
			return err
		}
		valueID, err = c.lookUp(waiting, Subject(topic, "value"), value)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("finding the schemas of %s at %s: %w", topic, c.where(), err)
	}
	return keyID, valueID, nil
}

// patiently tries again while that may help and ctx lasts.
func (c *Client) patiently(ctx context.Context, try func() error) error {
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try()
		if err == nil || !isPassing(err) || errors.Is(err, errOther) {
			return err
		}
		c.o.Log.Warn("the schema registry does not answer; waiting for it", "url", c.where(), "cause", err.Error(), "in", pause.String())
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s (schema_registry.timeout); check schema_registry.url, and that it runs: %w", c.o.Timeout, err)
		case <-time.After(pause):
		}
	}
}

// errOther is around what is wrong with what the registry holds.
var errOther = errors.New("the registry holds another schema")

// frozen registers a schema under a subject that has no other.
func (c *Client) frozen(ctx context.Context, subject, text string) (int32, error) {
	id, err := c.lookUp(ctx, subject, text)
	if err == nil || !IsUnknown(err) {
		return id, err
	}
	versions, err := c.client.SubjectVersions(ctx, subject)
	if err == nil && len(versions) > 0 {
		return 0, fmt.Errorf("%w: subject %s has versions %v, none of which is the key schema of this program, and a topic's key can't change; "+
			"write to another output.topic, or delete the subject for good if no such topic is left", errOther, subject, versions)
	}
	if err != nil && !IsUnknown(err) {
		return 0, fmt.Errorf("looking at subject %s: %w", subject, explain(err))
	}
	return c.add(ctx, subject, text)
}

// fullTransitive lets all releases read what all others have written.
const fullTransitive = sr.CompatFullTransitive

// evolving registers a schema under a subject that may have earlier ones. The
// level comes first: it is by it that the registry judges.
func (c *Client) evolving(ctx context.Context, subject, text string) (int32, error) {
	id, err := c.lookUp(ctx, subject, text)
	if err != nil && !IsUnknown(err) {
		return 0, err
	}
	c.setLevel(ctx, subject)
	if err == nil {
		return id, nil
	}
	return c.add(ctx, subject, text)
}

// setLevel sets the compatibility of a subject, and leaves it as it is where that
// is not allowed.
func (c *Client) setLevel(ctx context.Context, subject string) {
	now := c.client.Compatibility(ctx, subject)[0]
	if now.Err == nil && now.Level == fullTransitive {
		return
	}
	set := c.client.SetCompatibility(ctx, sr.SetCompatibility{Level: fullTransitive}, subject)[0]
	if set.Err != nil {
		c.o.Log.Warn("the compatibility of the values' subject can't be set; it should be FULL_TRANSITIVE",
			"subject", subject, "cause", explain(set.Err).Error())
	}
}

func avroSchema(text string) sr.Schema { return sr.Schema{Schema: text, Type: sr.TypeAvro} }

func (c *Client) lookUp(ctx context.Context, subject, text string) (int32, error) {
	found, err := c.client.LookupSchema(ctx, subject, avroSchema(text))
	if err != nil {
		return 0, fmt.Errorf("looking up subject %s: %w", subject, explain(err))
	}
	return int32(found.ID), nil
}

func (c *Client) add(ctx context.Context, subject, text string) (int32, error) {
	id, err := c.client.RegisterSchema(ctx, subject, avroSchema(text), -1, -1)
	switch a := answerOf(err); {
	case err == nil:
		return int32(id), nil
	case isForbidden(err):
		return 0, fmt.Errorf("subject %s does not have the schema, and the registry does not let schema_registry.user register it; "+
			"have it registered, or let the user write to the subject: %w", subject, err)
	case a != nil && a.StatusCode == http.StatusConflict:
		return 0, fmt.Errorf("subject %s holds a schema with which this release's is not compatible; "+
			"is it another program's? Write to another output.topic, or delete the subject: %w", subject, err)
	}
	return 0, fmt.Errorf("registering subject %s: %w", subject, explain(err))
}

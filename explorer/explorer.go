// Package explorer tells what is known of users: over HTTP, from the state of the
// process that has the user's task, or from what a process has left in its folder
// or in the traits topic.
//
// What it tells was committed, and may lag by one transaction. Any process may be
// asked: one that does not have the task passes the request on to the one that has.
package explorer

import (
	"encoding/json"
	"fmt"
	"time"

	"traitstream/schemas"
)

// State says in a word how a trait stands.
type State string

// The states of a trait.
const (
	Set       State = "set"
	Expired   State = "expired"    // by the task's clock; with a value it is about to be removed
	NotServed State = "not_served" // what was seen last was not served, under not_served: clear
	Forgotten State = "forgotten"
	Removed   State = "removed" // for another reason
	Unsent    State = "unsent"  // by a replay that sends nothing a value was seen that is not out
	Unknown   State = "unknown"
)

// User is what is known of a user.
type User struct {
	Identity string `json:"identity"`
	ID       string `json:"id"`
	// Forgotten is null unless the user was.
	Forgotten *Marker `json:"forgotten"`
	// Traits come in the order of their names' bytes.
	Traits []Trait `json:"traits"`
	// Next is the name behind which there are more; null: these are all.
	Next   *string `json:"next"`
	Origin Origin  `json:"origin"`
}

// Known tells whether there is anything.
func (u *User) Known() bool { return len(u.Traits) > 0 || u.Forgotten != nil }

// Trait is what is known of a trait of a user. The facts are those of the last
// change, as in the traits topic; what is not known is null.
type Trait struct {
	Identity string          `json:"identity"`
	ID       string          `json:"id"`
	Trait    string          `json:"trait"`
	State    State           `json:"state"`
	Value    json.RawMessage `json:"value"`
	Previous json.RawMessage `json:"previous"`
	Unsent   json.RawMessage `json:"unsent"` // the value seen, where it is not the one that is out
	// SeenAt is when the value was last seen; in the traits topic, when it was
	// seen first.
	SeenAt      *Time   `json:"seen_at"`
	Split       *string `json:"split"`
	Environment *string `json:"environment"`
	Label       *string `json:"label"`
	FlagVersion *int64  `json:"flag_version"`
	Definition  *string `json:"definition"`
	Generation  *uint32 `json:"generation"`
	ChangeID    *string `json:"change_id"`
	// ChangedAt is when the change was seen, ChangeTimestamp the timestamp of its
	// record in the traits topic.
	ChangedAt       *Time   `json:"changed_at"`
	ChangeTimestamp *Time   `json:"change_timestamp"`
	Reason          *string `json:"reason"` // of a removal
	Source          *Source `json:"source"`
	ExpiresAt       *Time   `json:"expires_at"`
	// Forgotten is null unless the user, or this trait, was.
	Forgotten *Marker `json:"forgotten"`
	Origin    Origin  `json:"origin"`
}

// Source is where the impression of the last change was first read.
type Source struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Index     *int32 `json:"index,omitempty"` // of a record that held several
}

// Marker says that something was forgotten: impressions up to a time are refused.
type Marker struct {
	At    Time `json:"at"`
	Until Time `json:"until"`
}

// Origin is who tells it.
type Origin struct {
	// Kind is owner, folder or topic.
	Kind string `json:"kind"`
	Task int32  `json:"task"`
	// Instance is the process that has the task.
	Instance string `json:"instance,omitempty"`
	// Dir is the state folder, and Committed when it heard of the task last.
	Dir       string `json:"dir,omitempty"`
	Committed *Time  `json:"committed,omitempty"`
	// Topic and Offset are where the last record stands in it.
	Topic  string `json:"topic,omitempty"`
	Offset *int64 `json:"offset,omitempty"`
}

// The kinds of origins.
const (
	FromOwner  = "owner"
	FromFolder = "folder"
	FromTopic  = "topic"
)

// Time is in ms since 1970. As JSON it is RFC 3339, as in the traits topic.
type Time int64

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(schemas.FormatTime(int64(t))) }

// UnmarshalJSON reads a time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	*t = Time(at.UnixMilli())
	return nil
}

// Time returns it in UTC.
func (t Time) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

package preview

import (
	"traitstream/impression"
	"traitstream/trait"
)

// Report is what a preview comes to.
type Report struct {
	// Complete tells that all was read; else only a share of the history, from 0 to
	// 1.
	Complete bool
	Share    float64
	// OneIn is how many users each of those stands for by whom values, changes and
	// differences were counted: 1 where all were, else these are estimates.
	OneIn int64

	Records     int64
	Impressions int64 // that were read and taken
	Skipped     int64 // elements that are no impressions
	NoMatch     int64 // impressions that no definition wants
	NotServed   int64 // and those that were wanted, but not served
	Refused     map[impression.Reason]int64
	First, Last int64 // times of the records, ms since 1970; 0: there are none

	Definitions []Definition
	Unwanted    []Flag // those that no definition wants, most impressions first
	Difference  *Difference
}

// Count is a number of users.
type Count struct {
	N         int64
	Estimated bool // by HyperLogLog
}

// Definition is what comes of one.
type Definition struct {
	Name        string
	Description string
	Impressions int64 // that it makes something of
	Users       Count // of those
	Traits      []Trait
	MoreTraits  int   // that are not told
	None        int64 // traits that were taken away by an impression that was not served
	Expired     int64 // traits that were not seen for too long
	Changes     Changes
	Sample      []User
	Misses      []trait.Miss
}

// Trait is a trait's name with its users, by value.
type Trait struct {
	Name       string
	Users      int64
	Values     []Value // most users first
	MoreValues int     // that are not told
}

// Value is a value, as compact JSON, and how many users have it.
type Value struct {
	Value string
	Users int64
}

// Changes are what each subscriber would have received.
type Changes struct {
	First, Changed, Removed int64
	Days                    []Day // in order
}

// Total returns how many there are.
func (c Changes) Total() int64 { return c.First + c.Changed + c.Removed }

// Day is a day, UTC, and the changes of it.
type Day struct {
	Start   int64 // ms since 1970
	Changes int64
}

// User is one with the traits of a definition.
type User struct {
	Identity, ID string
	Traits       []UserTrait
}

// UserTrait is a trait of a user.
type UserTrait struct {
	Trait, Value string // Value is compact JSON
	SeenAt       int64  // ms since 1970
}

// Flag is a flag and how many impressions are of it.
type Flag struct {
	Name        string
	Impressions int64
}

// Difference is how the traits would differ from those that the app holds.
type Difference struct {
	Topic                         string
	Exists                        bool // there is a traits topic
	Added, Removed, Changed, Same int64
	// Kept are traits whose impressions are not in the history that was read: they
	// can't be recomputed and stay as they are.
	Kept int64
	// Unprocessed are traits that differ by impressions that the app has perhaps not
	// processed yet.
	Unprocessed int64
	// Lost are those that are removed, or go back to an older value, since they can't
	// be recomputed: their definition changes, and their impressions are no longer in
	// the sources. They are in Removed or Changed as well.
	Lost int64
	// Untouched are traits that differ from what the history gives, and stay as they
	// are when the definitions are applied: theirs are not computed anew.
	Untouched  int64
	Waiting    int64 // forwarded impressions that wait in the inbox
	Unread     int64 // records of the traits topic that can't be read
	Traits     []TraitDifference
	MoreTraits int
	Examples   []Example
}

// Empty tells whether nothing was found of the trait or definition that was asked for.
func (r *Report) Empty() bool {
	d := r.Difference
	return len(r.Definitions) == 0 && (d == nil || d.Added+d.Removed+d.Changed+d.Same+d.Kept+d.Unprocessed+d.Untouched == 0)
}

// TraitDifference is how the users' traits of one name differ.
type TraitDifference struct {
	Trait                         string
	Added, Removed, Changed, Same int64
}

// Example is a trait of a user that differs. Held and Computed are compact JSON,
// empty for none.
type Example struct {
	Kind                string // added, removed or changed
	Identity, ID, Trait string
	Held, Computed      string
}

// How many traits, values of each and flags are told by name.
const (
	mostTraits    = 1000
	mostValuesOf  = 100
	mostUnwanted  = 1000
	kindAdded     = "added"
	kindRemoved   = "removed"
	kindChanged   = "changed"
	kindsOfChange = 3
)

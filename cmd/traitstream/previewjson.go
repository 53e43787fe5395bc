package main

import (
	"encoding/json"
	"io"
	"time"

	"traitstream/impression"
	"traitstream/preview"
	"traitstream/trait"
)

// jsonPreview is a definition as JSON. Counts of users and all that stands behind
// them are estimates where the last line says so.
type jsonPreview struct {
	Definition  string        `json:"definition"`
	Impressions int64         `json:"impressions"`
	Users       jsonUsers     `json:"users"`
	Traits      []jsonTrait   `json:"traits"`
	MoreTraits  int           `json:"more_traits"`
	Cleared     int64         `json:"cleared"` // traits that were taken away by an impression that was not served
	Expired     int64         `json:"expired"`
	Changes     jsonChanges   `json:"changes"` // that each destination would have received
	Sample      []jsonSampled `json:"sample"`
	NearMisses  []jsonMiss    `json:"near_misses"`
}

type jsonUsers struct {
	Count     int64 `json:"count"`
	Estimated bool  `json:"estimated"`
}

type jsonTrait struct {
	Trait      string      `json:"trait"`
	Users      int64       `json:"users"`
	Values     []jsonValue `json:"values"`
	MoreValues int         `json:"more_values"`
}

type jsonValue struct {
	Value json.RawMessage `json:"value"`
	Users int64           `json:"users"`
}

type jsonChanges struct {
	Total   int64     `json:"total"`
	First   int64     `json:"first"`
	Changed int64     `json:"changed"`
	Removed int64     `json:"removed"`
	ADay    float64   `json:"a_day"`
	Days    []jsonDay `json:"days"`
}

type jsonDay struct {
	Day     string `json:"day"`
	Changes int64  `json:"changes"`
}

type jsonSampled struct {
	Identity string          `json:"identity"`
	ID       string          `json:"id"`
	Traits   []jsonUserTrait `json:"traits"`
}

type jsonUserTrait struct {
	Trait  string          `json:"trait"`
	Value  json.RawMessage `json:"value"`
	SeenAt string          `json:"seen_at"`
}

type jsonMiss struct {
	Kind      trait.MissKind `json:"kind"`
	Condition string         `json:"condition,omitempty"`
	Matched   int64          `json:"matched"`
	Tried     int64          `json:"tried"`
	Absent    int64          `json:"absent"`
	Nearest   *string        `json:"nearest"` // null: there is none
}

// jsonPreviewed is what a preview comes to as a whole, on the last line.
type jsonPreviewed struct {
	Complete      bool                        `json:"complete"`
	Share         float64                     `json:"share"`  // of the history that was read, to 1
	OneIn         int64                       `json:"one_in"` // 1: all users were counted, else values, changes and differences are estimates
	Records       int64                       `json:"records"`
	Impressions   int64                       `json:"impressions"`
	Skipped       int64                       `json:"skipped"`
	NoMatch       int64                       `json:"no_match"`
	NotServed     int64                       `json:"not_served"`
	Refused       map[impression.Reason]int64 `json:"refused"`
	From          *string                     `json:"from"` // times of the records
	To            *string                     `json:"to"`
	UnwantedFlags []jsonFlag                  `json:"unwanted_flags"`
	Difference    *jsonApart                  `json:"difference"` // null: not compared
}

type jsonFlag struct {
	Flag        string `json:"flag"`
	Impressions int64  `json:"impressions"`
}

type jsonApart struct {
	Topic       string           `json:"topic"`
	Exists      bool             `json:"exists"`
	Added       int64            `json:"added"`
	Removed     int64            `json:"removed"`
	Changed     int64            `json:"changed"`
	Same        int64            `json:"same"`
	Kept        int64            `json:"kept"`
	Unprocessed int64            `json:"unprocessed"`
	Waiting     int64            `json:"waiting"`
	Unread      int64            `json:"unread"`
	Traits      []jsonTraitApart `json:"traits"`
	MoreTraits  int              `json:"more_traits"`
	Examples    []jsonExample    `json:"examples"`
	Lost        int64            `json:"lost,omitempty"` // of removed and changed
	Untouched   int64            `json:"untouched,omitempty"`
}

type jsonTraitApart struct {
	Trait   string `json:"trait"`
	Added   int64  `json:"added"`
	Removed int64  `json:"removed"`
	Changed int64  `json:"changed"`
	Same    int64  `json:"same"`
}

type jsonExample struct {
	Kind     string          `json:"kind"`
	Identity string          `json:"identity"`
	ID       string          `json:"id"`
	Trait    string          `json:"trait"`
	Held     json.RawMessage `json:"held"`
	Computed json.RawMessage `json:"computed"`
}

// printPreviewJSON prints a line for each definition, and one of all.
func printPreviewJSON(out io.Writer, r *preview.Report) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for i := range r.Definitions {
		if err := e.Encode(newJSONPreview(r, &r.Definitions[i])); err != nil {
			return err
		}
	}
	return e.Encode(newJSONPreviewed(r))
}

func newJSONPreview(r *preview.Report, d *preview.Definition) jsonPreview {
	j := jsonPreview{
		Definition: d.Name, Impressions: d.Impressions, Users: jsonUsers{d.Users.N, d.Users.Estimated}, MoreTraits: d.MoreTraits,
		Cleared: d.None, Expired: d.Expired, Traits: []jsonTrait{}, Sample: []jsonSampled{}, NearMisses: []jsonMiss{},
		Changes: jsonChanges{
			Total: d.Changes.Total(), First: d.Changes.First, Changed: d.Changes.Changed, Removed: d.Changes.Removed,
			ADay: aDay(r, d.Changes.Total()), Days: []jsonDay{},
		},
	}
	for _, t := range d.Traits {
		of := jsonTrait{Trait: t.Name, Users: t.Users, MoreValues: t.MoreValues}
		for _, v := range t.Values {
			of.Values = append(of.Values, jsonValue{json.RawMessage(v.Value), v.Users})
		}
		j.Traits = append(j.Traits, of)
	}
	for _, at := range d.Changes.Days {
		j.Changes.Days = append(j.Changes.Days, jsonDay{time.UnixMilli(at.Start).UTC().Format(time.DateOnly), at.Changes})
	}
	for _, u := range d.Sample {
		of := jsonSampled{Identity: u.Identity, ID: u.ID, Traits: []jsonUserTrait{}}
		for _, t := range u.Traits {
			of.Traits = append(of.Traits, jsonUserTrait{t.Trait, json.RawMessage(t.Value), *jsonTime(t.SeenAt)})
		}
		j.Sample = append(j.Sample, of)
	}
	for _, miss := range d.Misses {
		of := jsonMiss{Kind: miss.Kind, Condition: miss.Condition, Tried: miss.Tried, Absent: miss.Absent}
		if miss.Nearest != "" {
			of.Nearest = &miss.Nearest
		}
		j.NearMisses = append(j.NearMisses, of)
	}
	return j
}

func newJSONPreviewed(r *preview.Report) jsonPreviewed {
	j := jsonPreviewed{
		Complete: r.Complete, Share: r.Share, OneIn: r.OneIn, Records: r.Records, Impressions: r.Impressions, Skipped: r.Skipped,
		NoMatch: r.NoMatch, NotServed: r.NotServed, Refused: r.Refused, UnwantedFlags: []jsonFlag{},
	}
	if r.First > 0 {
		j.From, j.To = jsonTime(r.First), jsonTime(r.Last)
	}
	for _, f := range r.Unwanted {
		j.UnwantedFlags = append(j.UnwantedFlags, jsonFlag{f.Name, f.Impressions})
	}
	if d := r.Difference; d != nil {
		j.Difference = newJSONApart(d)
	}
	return j
}

func newJSONApart(d *preview.Difference) *jsonApart {
	j := &jsonApart{
		Topic: d.Topic, Exists: d.Exists, Added: d.Added, Removed: d.Removed, Changed: d.Changed, Same: d.Same, Kept: d.Kept,
		Unprocessed: d.Unprocessed, Waiting: d.Waiting, Unread: d.Unread, MoreTraits: d.MoreTraits,
		Traits: []jsonTraitApart{}, Examples: []jsonExample{}, Lost: d.Lost, Untouched: d.Untouched,
	}
	for _, t := range d.Traits {
		j.Traits = append(j.Traits, jsonTraitApart(t))
	}
	for _, e := range d.Examples {
		j.Examples = append(j.Examples, jsonExample{e.Kind, e.Identity, e.ID, e.Trait, orNull(e.Held), orNull(e.Computed)})
	}
	return j
}

// jsonTime writes down a time in ms.
func jsonTime(ms int64) *string {
	text := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
	return &text
}

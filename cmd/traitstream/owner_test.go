package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"traitstream/explorer"
	"traitstream/processor/group"
	"traitstream/state"
	"traitstream/trait"
)

// Who has a task, or why nobody can be asked, is told in a sentence.
func TestOwnerOf(t *testing.T) {
	m := member{Member: group.Member{Process: "one"}}
	for _, c := range []struct {
		what  string
		group membership
		says  string
	}{
		{"one", membership{members: []member{m}, owners: map[place]member{{"inbox", 1}: m}}, ""},
		{"another task's", membership{members: []member{m}, owners: map[place]member{{"inbox", 0}: m, {"in", 1}: m}}, "nobody has it"},
		{"nobody", membership{state: groupDead}, "traitstream run"},
		{"a rebalance", membership{state: groupPreparing, members: []member{m}}, "rebalancing"},
	} {
		got, err := c.group.ownerOf("inbox", 1)
		if err == nil && (c.says != "" || got.Process != "one") || err != nil && (c.says == "" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %+v, %v", c.what, got, err)
		}
	}
}

// An owner that can't be asked is named with what helps, and one that is not the
// owner is not asked.
func TestReach(t *testing.T) {
	well := answer(t, says(http.StatusOK, `{"instance":"one"}`))
	for _, c := range []struct{ address, host, says string }{
		{well, "127.0.0.1", ""},
		{"", "127.0.0.1", "set http.advertise"},
		{"127.0.0.1:8080", "192.0.2.1", "an address on its own machine, 192.0.2.1"},
		{freeAddress(t), "127.0.0.1", "does not answer"},
		{answer(t, says(http.StatusOK, `{"instance":"two"}`)), "127.0.0.1", "another process answers: two"},
	} {
		m := member{Member: group.Member{Process: "one", HTTP: c.address}, host: c.host}
		if err := m.reach(t.Context()); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	group := membership{members: []member{
		{Member: group.Member{Process: "gone", HTTP: freeAddress(t)}, host: "127.0.0.1"},
		{Member: group.Member{Process: "one", HTTP: well}, host: "127.0.0.1"},
	}}
	group.owners = map[place]member{{"inbox", 0}: group.members[0]}
	if got, err := group.addressFor(t.Context(), "inbox", 0); err != nil || got != well {
		t.Errorf("in place of who does not answer: %s, %v", got, err)
	}
	group.members = group.members[:1]
	if got, err := group.addressFor(t.Context(), "inbox", 0); err == nil || !strings.Contains(err.Error(), "gone does not answer") {
		t.Errorf("nobody answers: %s, %v", got, err)
	}
}

// A user of many traits is told page by page, below one heading.
func TestGetPages(t *testing.T) {
	set, err := trait.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 2500)
	for i := range names {
		names[i] = fmt.Sprintf("flag-%04d", i)
	}
	value := []byte(`"on"`)
	pages := 0
	s := httptest.NewServer(explorer.Handler(explorer.Options{
		Teller: explorer.Teller{App: "app", Traits: set}, Tasks: 1,
		Ask: func(_ context.Context, l state.Lookup) (*state.Known, error) {
			pages++
			k := &state.Known{}
			for _, name := range names {
				if name <= string(l.Behind) {
					continue
				}
				if k.More = len(k.Traits) == l.Most; k.More {
					break
				}
				k.Traits = append(k.Traits, state.KnownTrait{Name: []byte(name), Record: trait.Record{
					Seen: trait.Register{Value: value}, Emitted: trait.Emission{Sent: true, Value: value, Facts: trait.Facts{Flag: []byte(name)}},
				}})
			}
			return k, nil
		},
	}))
	t.Cleanup(s.Close)
	address := strings.TrimPrefix(s.URL, "http://")
	for format, heading := range map[string]int{"text": 1, "json": 0} {
		pages = 0
		lines := strings.Split(strings.TrimSpace(succeed(t, "get", "--ask", address, "--format", format, "u")), "\n")
		if len(lines) != len(names)+heading || pages != 3 || !strings.Contains(lines[len(lines)-1], "flag-2499") || strings.Contains(lines[1001], "TRAIT") {
			t.Errorf("%s: %d lines on %d pages", format, len(lines), pages)
		}
	}
}

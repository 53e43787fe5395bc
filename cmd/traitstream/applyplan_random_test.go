package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/internal/oracle"
	"traitstream/schemas"
)

// poolDefinition is a definition in the words of a file and of the oracle.
type poolDefinition struct {
	text   string
	oracle oracle.Definition
	yields string // a pattern of the traits' names
}

func poolOf(name, notServed, rest, yields string, where ...oracle.Cond) poolDefinition {
	return poolDefinition{
		text:   fmt.Sprintf("{name: %q, not_served: %s%s}", name, notServed, rest),
		oracle: oracle.Definition{Name: name, Event: "get_treatment", Property: "treatment", NotServed: notServed, Where: where},
		yields: "^(" + yields + ")$",
	}
}

func cond(property, operator string, operands ...string) oracle.Cond {
	return oracle.Cond{Property: property, Operator: operator, Operands: operands}
}

// plannedPool are definitions of which some are in force and others come.
var plannedPool = []poolDefinition{
	poolOf("{split}", "ignore", "", ".+"),
	poolOf("{split}", "ignore", ", where: {environmentName: Production}", ".+", cond("environmentName", "equals", "Production")),
	poolOf("{split}", "clear", ", where: {split: [f, g]}", "f|g", cond("split", "one_of", "f", "g")),
	poolOf("seen_{split}", "ignore", "", "seen_.+"),
	poolOf("seen_{split}", "ignore", `, where: {treatment: {not_equals: "off"}}`, "seen_.+", cond("treatment", "not_equals", "off")),
	poolOf("plan", "ignore", ", where: {split: f}", "plan", cond("split", "equals", "f")),
	poolOf("plan", "ignore", `, where: {split: g, treatment: "on"}`, "plan", cond("split", "equals", "g"), cond("treatment", "equals", "on")),
	poolOf("{environmentName}_{split}", "store", "", ".+_.+"),
	poolOf("{environmentName}_{split}", "clear", "", ".+_.+"),
}

// draw picks definitions of different names.
func draw(r *rand.Rand) (list []poolDefinition, text string) {
	taken, texts := map[string]bool{}, []string{}
	for _, i := range r.Perm(len(plannedPool))[:3+r.IntN(3)] {
		if d := plannedPool[i]; !taken[d.oracle.Name] {
			taken[d.oracle.Name] = true
			list, texts = append(list, d), append(texts, d.text)
		}
	}
	return list, "traits: [" + strings.Join(texts, ", ") + "]\n"
}

// scatter sends impressions, a quarter of them to partitions that are not their
// users', and returns where half of them ends.
func (w *plannedWorld) scatter(r *rand.Rand) (half kadm.Offsets) {
	w.Helper()
	for i := range 400 {
		if i == 200 {
			w.send()
			half = w.ends()
		}
		user := fmt.Sprintf("u%d", r.IntN(40))
		partition := w.home(user)
		if r.IntN(4) == 0 {
			partition = r.Int32N(w.partitions)
		}
		w.put(partition, user, []string{"f", "g", "h"}[r.IntN(3)], []string{"on", "off", "v2", "control"}[r.IntN(4)],
			[]string{"Production", "Staging"}[r.IntN(2)], i/2+r.IntN(150))
	}
	w.send()
	return half
}

// What a plan counts is what then differs for a subscriber, whatever the definitions
// and however much of the history is left; and what it says can't be recomputed, the
// oracle does not find in what is left.
func TestPlansComeTrue(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test's
			_, old := draw(r)
			next, text := draw(r)
			w := newPlannedWorld(t, old)
			start := w.scatter(r)
			succeed(t, "run", "-c", w.config, "--until-caught-up")
			if r.IntN(4) > 0 {
				w.retain(start)
			} else {
				start = nil
			}
			before := w.traits()
			file := w.file("new.yaml", plannedSettings+text)
			line, _, _ := strings.Cut(succeed(t, "apply", "-c", file, "--dry-run", "--format", "json"), "\n")
			var plan jsonPlan
			if err := json.Unmarshal([]byte(line), &plan); err != nil {
				t.Fatal(err)
			}
			w.apply(file, "--quick")
			after := w.traits()
			d := &jsonApart{} // where no trait changes, nothing is read
			if plan.Preview != nil {
				d = plan.Preview.Difference
			}
			if added, removed, changed := apart(before, after); d.Added != added || d.Removed != removed || d.Changed != changed || d.Unprocessed != 0 {
				t.Errorf("%+v, and it was %d, %d and %d", d, added, removed, changed)
			}
			if plan.Preview == nil {
				return
			}
			if lost, kept := w.unknown(plan.Plan, next, before, after, start); d.Lost != lost || d.Kept != kept {
				t.Errorf("%d are lost and %d kept, and it was %d and %d", d.Lost, d.Kept, lost, kept)
			}
		})
	}
}

// apart counts what was added, removed and changed.
func apart(before, after map[string]schemas.Change) (added, removed, changed int64) {
	for name, held := range before {
		if now, there := after[name]; !there {
			removed++
		} else if string(now.Emission.Value) != string(held.Emission.Value) {
			changed++
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			added++
		}
	}
	return added, removed, changed
}

// unknown counts the traits whose impression is gone and of which the definitions find
// nothing as late in what is left, by the oracle: those that are lost by it, and those
// that stay nevertheless.
func (w *plannedWorld) unknown(list []planned, next []poolDefinition, before, after map[string]schemas.Change, start kadm.Offsets) (lost, kept int64) {
	var defs []oracle.Definition
	stays, anew := map[string]bool{}, []*regexp.Regexp{}
	for i, d := range next {
		defs = append(defs, d.oracle)
		if stays[d.oracle.Name] = !list[i].Recomputed; list[i].Recomputed {
			anew = append(anew, regexp.MustCompile(d.yields))
		}
	}
	found := oracle.Run([]oracle.Source{{Topic: "impressions", Format: "auto", Identity: "user"}}, defs, 10*time.Minute, w.left(start))
	for name, held := range before {
		user, trait, _ := strings.Cut(name, "/")
		f := held.Emission.Facts
		from, _ := start.Lookup("impressions", f.Place.Partition)
		is := found.Traits[oracle.Key{Identity: "user", User: user, Trait: trait}]
		if f.Place.Offset >= from.At || is.SeenAt >= held.Emission.SeenAt || is.Value == string(held.Emission.Value) {
			continue
		}
		now := after[name]
		switch same := string(now.Emission.Value) == string(held.Emission.Value); {
		case stays[f.Definition] && same:
			kept++
		case stays[f.Definition] || same:
			w.Errorf("%s of %s was %s and is %s", name, f.Definition, held.Emission.Value, now.Emission.Value)
		default:
			for _, yields := range anew {
				if yields.MatchString(trait) {
					lost++
					break
				}
			}
		}
	}
	return lost, kept
}

// left are the records that retention has left.
func (w *plannedWorld) left(start kadm.Offsets) (all []oracle.Record) {
	for _, r := range w.sent {
		if from, _ := start.Lookup("impressions", r.Partition); r.Offset >= from.At {
			all = append(all, oracle.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Value: r.Value})
		}
	}
	return all
}

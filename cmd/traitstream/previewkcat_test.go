package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// countedByHand is what can be said of impressions without the program.
type countedByHand struct {
	impressions, matched int64
	users                map[string]bool
	values               map[string]map[string]int64 // users by trait and value
}

// countByHand counts what kcat prints, a value a line: the last treatment of each
// user and flag that production showed.
func countByHand(t *testing.T, lines string) countedByHand {
	t.Helper()
	type impression struct {
		Key, Split, Treatment, EnvironmentName string
		Time                                   int64
	}
	last := map[[2]string]impression{}
	c := countedByHand{users: map[string]bool{}, values: map[string]map[string]int64{}}
	scanner := bufio.NewScanner(strings.NewReader(lines))
	for scanner.Scan() {
		var i impression
		if err := json.Unmarshal(scanner.Bytes(), &i); err != nil {
			t.Fatal(err)
		}
		c.impressions++
		if i.EnvironmentName != "Production" || i.Treatment == "control" {
			continue
		}
		c.matched++
		c.users[i.Key] = true
		k := [2]string{i.Key, i.Split}
		if o, ok := last[k]; !ok || cmp.Or(cmp.Compare(i.Time, o.Time), strings.Compare(i.Treatment, o.Treatment)) > 0 {
			last[k] = i
		}
	}
	for k, i := range last {
		if c.values[k[1]] == nil {
			c.values[k[1]] = map[string]int64{}
		}
		c.values[k[1]][i.Treatment]++
	}
	return c
}

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: what preview counts is what comes
// of counting the records that kcat reads.
func TestRealPreviewCountsWhatKcatReads(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	needKcat(t)
	w := newRealWorld(t, brokers, "traits: [{name: \"{split}\", where: {environmentName: Production}}]\n")
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	random := rand.New(rand.NewPCG(3, 4))
	const n, start = 200_000, 1772446530000
	var records []*kgo.Record
	for i := range int64(n) {
		user := fmt.Sprintf("user-%05d", random.IntN(20_000))
		r := &kgo.Record{Topic: w.source, Key: []byte(user), Timestamp: time.UnixMilli(start + i*1000)}
		if random.IntN(4) == 0 {
			r.Key = nil // anywhere
		}
		r.Value = fmt.Appendf(nil, `{"key":%q,"split":"flag_%d","treatment":%q,"time":%d,"label":"default rule","environmentName":%q}`,
			user, random.IntN(5), []string{"on", "off", "v2", "control"}[random.IntN(4)], start+i*1000-random.Int64N(100_000),
			[]string{"Production", "Production", "Staging"}[random.IntN(3)])
		records = append(records, r)
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	want := countByHand(t, w.kcat("", "-C", "-t", w.source, "-e", "-q", "-f", `%s\n`))

	lines := strings.Split(strings.TrimSpace(succeed(t, "preview", "-c", w.config, "--format", "json")), "\n")
	var d jsonPreview
	var all jsonPreviewed
	for i, into := range []any{&d, &all} {
		if err := json.Unmarshal([]byte(lines[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	if all.Impressions != n || want.impressions != n || d.Impressions != want.matched || d.Users != (jsonUsers{Count: int64(len(want.users))}) {
		t.Errorf("%d impressions, %d match, %+v users; want %d, %d and %d",
			all.Impressions, d.Impressions, d.Users, want.impressions, want.matched, len(want.users))
	}
	values := map[string]map[string]int64{}
	for _, of := range d.Traits {
		values[of.Trait] = map[string]int64{}
		for _, v := range of.Values {
			values[of.Trait][plain(v.Value)] = v.Users
		}
	}
	if !maps.EqualFunc(values, want.values, maps.Equal) {
		t.Errorf("values %v, want %v", values, want.values)
	}

	// And what a run makes of it is what was previewed.
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	lines = strings.Split(strings.TrimSpace(succeed(t, "preview", "-c", w.config, "--format", "json")), "\n")
	if err := json.Unmarshal([]byte(lines[1]), &all); err != nil {
		t.Fatal(err)
	}
	var traits int64
	for _, of := range want.values {
		for _, users := range of {
			traits += users
		}
	}
	if a := all.Difference; a.Same != traits || a.Added+a.Removed+a.Changed+a.Kept+a.Unprocessed+a.Waiting+a.Unread != 0 {
		t.Errorf("after a run: %+v, want %d the same", a, traits)
	}
}

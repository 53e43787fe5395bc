package oracle

import "strings"

// shape is one of the ways to write impressions.
type shape struct {
	name string
	// write makes an object, and tells how many impressions it may hold.
	write func(*maker) (string, int)
}

var shapes = []shape{
	{"webhook", one(webhook)},
	{"segment", one(segment)},
	{"listener", one(listener)},
	{"synchronizer", synchronizer},
	{"bulk", bulk},
	{"export", one(export)},
	{"concept", one(concept)},
}

// pair is a member to be written: a name and JSON.
type pair struct{ name, json string }

func one(write func(*maker, event) string) func(*maker) (string, int) {
	return func(g *maker) (string, int) { return write(g, g.event()), 1 }
}

func webhook(g *maker, e event) string {
	all := []pair{
		{"key", g.quote(e.user)}, {"split", g.quote(e.flag)}, {"treatment", g.quote(e.treatment)}, {"time", g.clock(e.time, false)},
		{"splitVersionNumber", g.number(e.version)}, {"bucketingKey", g.pick(`null`, `"b1"`, `""`, `5`)}, {"machineName", g.pick(`null`, `"ip-1"`)},
		{"sdk", g.pick(`"go"`, `"javascript"`)}, {"sdkVersion", g.pick(`"6.10"`, `"6.9.0"`, `6.9`)}, {"trafficTypeId", g.quote(e.trafficType)},
	}
	if g.chance(0.9) {
		all = append(all, pair{"environmentId", g.quote(environments[e.environment])}, pair{"environmentName", g.quote(e.environment)})
	}
	return g.object(g.spoil(g.rest(all, e)))
}

func segment(g *maker, e event) string {
	inner := g.rest([]pair{
		{"split", g.quote(e.flag)}, {"treatment", g.quote(e.treatment)}, {"environmentName", g.quote(e.environment)},
		{"splitVersionNumber", g.number(e.version)}, {"key", g.quote("not the user")}, {"time", "5"},
		{"plan", e.plan}, {"machineIP", g.pick(`"10.0.0.7"`, `false`)},
	}, event{label: e.label})
	outer := []pair{{g.pick("userId", "userId", "anonymousId"), g.quote(e.user)}, {"event", `"get_treatment"`}}
	if g.chance(0.1) {
		outer = append(outer, pair{"anonymousId", g.pick(`"visitor-1"`, `null`, `""`)})
	}
	outer = append(outer, pair{g.pick("timestamp", "timestamp", "originalTimestamp", "sentAt", "receivedAt"), g.clock(e.time, true)})
	if g.chance(0.9) {
		outer = append(outer, pair{"type", g.pick(`"track"`, `"track"`, `"tr\u0061ck"`)})
	}
	if g.chance(g.o.Faults / 4) {
		outer = append(outer, pair{"event", g.pick(`"identify"`, `null`, `7`)}, pair{"type", `"page"`})
	}
	if g.chance(0.5) {
		inner = g.spoil(inner)
	} else {
		outer = g.spoil(outer)
	}
	properties := g.object(inner)
	if g.chance(0.1) {
		properties = g.quote(properties)
	}
	if g.chance(g.o.Faults / 5) {
		properties = g.pick(`null`, `""`, `[]`, `"x"`, `5`, `"[]"`)
	}
	return g.object(append(outer, pair{"properties", properties}))
}

func listener(g *maker, e event) string {
	inner := g.rest([]pair{
		{"feature", g.quote(e.flag)}, {"keyName", g.quote(e.user)}, {"treatment", g.quote(e.treatment)},
		{"time", g.clock(e.time, false)}, {"changeNumber", g.number(e.version)},
	}, e)
	return g.object([]pair{
		{"impression", g.object(g.spoil(inner))}, {"attributes", `{"key":"x","split":["y"]}`}, {"ip", g.pick(`false`, `"10.0.0.7"`)},
		{"hostname", g.pick(`false`, `"ip-1"`)}, {"sdkLanguageVersion", g.pick(`"6.10"`, `"javascript-11.8.0"`)},
	})
}

func synchronizer(g *maker) (string, int) {
	total := 1
	groups := make([]string, g.IntN(3))
	for i := range groups {
		e, n := g.event(), g.IntN(4)
		list := make([]string, n)
		for j := range list {
			next := g.event()
			list[j] = g.object(g.spoil(g.rest([]pair{
				{"keyName", g.quote(next.user)}, {"treatment", g.quote(next.treatment)},
				{"time", g.clock(next.time, false)}, {"changeNumber", g.number(next.version)},
			}, next)))
		}
		total += n
		groups[i] = g.object(g.spoil([]pair{{"testName", g.quote(e.flag)}, {"keyImpressions", g.array(list)}}))
	}
	return g.object([]pair{
		{"impressions", g.array(groups)}, {"sdkVersion", g.pick(`"6.10"`, `"go-6.9.0"`)}, {"machineIP", `"10.0.0.7"`}, {"machineName", `"ip-1"`},
	}), total
}

func bulk(g *maker) (string, int) {
	e, n := g.event(), g.IntN(5)
	list := make([]string, n)
	for j := range list {
		next := g.event()
		all := []pair{
			{"k", g.quote(next.user)}, {"t", g.quote(next.treatment)}, {"m", g.clock(next.time, false)}, {"c", g.number(next.version)},
			{"b", `"bucket"`}, {"pt", "1772442930123"}, {"et", `"config"`},
		}
		if next.label != "" {
			all = append(all, pair{"r", g.quote(next.label)})
		}
		list[j] = g.object(g.spoil(g.rest(all, event{plan: next.plan})))
	}
	return g.object(g.spoil([]pair{{"f", g.quote(e.flag)}, {"i", g.array(list)}})), n + 1
}

func export(g *maker, e event) string {
	return g.object(g.spoil(g.rest([]pair{
		{"key", g.quote(e.user)}, {"bucketingKey", g.pick(`null`, `""`, `"b1"`)}, {"treatment", g.quote(e.treatment)}, {"splitName", g.quote(e.flag)},
		{"splitVersion", g.number(e.version)}, {"environmentId", g.quote(environments[e.environment])}, {"trafficTypeId", g.quote(e.trafficType)},
		{"timestamp", g.clock(e.time, false)}, {"receptionTimestamp", g.number(e.time + 60_000)},
	}, e)))
}

func concept(g *maker, e event) string {
	return g.object(g.spoil(g.rest([]pair{
		{"environmentId", g.quote(environments[e.environment])}, {"feature", g.quote(e.flag)}, {"treatment", g.quote(e.treatment)},
		{"key", g.quote(e.user)}, {"timestamp", g.clock(e.time, false)},
	}, e)))
}

// rest adds the members that may be left out: a label, and properties as an
// object, a string that holds one, or nonsense.
func (g *maker) rest(all []pair, e event) []pair {
	if e.label != "" {
		all = append(all, pair{"label", g.quote(e.label)})
	}
	if e.plan == "" || g.chance(0.3) {
		return all
	}
	properties := g.object([]pair{{"plan", e.plan}, {"other", `{"plan":1}`}})
	switch g.IntN(4) {
	case 0:
		properties = g.quote(properties)
	case 1:
		properties = g.pick(`null`, `""`, `"{'plan':'x'}"`, `[]`, `5`, properties)
	}
	return append(all, pair{"properties", properties})
}

func (g *maker) array(items []string) string {
	return "[" + g.gap() + strings.Join(items, g.gap()+","+g.gap()) + "]"
}

package oracle

import (
	"strconv"
	"time"
)

// event is an impression before it is written in some shape.
type event struct {
	user, flag, treatment, label string // an empty label is none
	environment                  string // of environments
	time, version                int64
	trafficType                  string
	plan                         string // JSON, a property
}

// environments by name.
var environments = map[string]string{
	"Prod-Default":    "0c3a9f10-9d3e-11ee-8c90-0242ac120002",
	"Staging-Default": "1d4bae20-9d3e-11ee-8c90-0242ac120002",
}

// event makes one, or gives one of the past again: as it was, or changed a
// little, so that ties come about.
func (g *maker) event() event {
	if len(g.past) > 0 && g.chance(0.25) {
		e := g.past[g.IntN(len(g.past))]
		switch g.IntN(5) {
		case 0:
			e.treatment = g.treatment()
		case 1:
			e.version++
		case 2:
			e.label = g.label()
		case 3:
			e.plan = g.plan()
		}
		return e
	}
	e := event{
		user:        g.users[g.IntN(len(g.users))],
		flag:        g.pick("back_end_roll_algorithm", "new_checkout", "new-checkout", "New_Checkout", "prüfung\n🦊", "{environmentName}"),
		treatment:   g.treatment(),
		label:       g.label(),
		environment: g.pick("Prod-Default", "Prod-Default", "Prod-Default", "Staging-Default"),
		time:        Stamp - int64(g.IntN(1800))*1000 + int64(g.IntN(3)),
		version:     1665436973467 + int64(g.IntN(3)),
		trafficType: g.pick("7f1d2b40", "7f1d2b40", "8a2e3c50", "9b3f4d60", ""),
		plan:        g.plan(),
	}
	if g.o.Ahead && g.chance(0.05) {
		e.time = Stamp + 600_000 + int64(g.IntN(3)-1)
	}
	if len(g.past) < 500 {
		g.past = append(g.past, e)
	} else {
		g.past[g.IntN(len(g.past))] = e
	}
	return e
}

func (g *maker) treatment() string {
	return g.pick("on", "off", "on", "off", "v1", "größe-xl", "control", "  ", "ON", "a\"\\\u0001\t/🦊", "o")
}

func (g *maker) label() string {
	return g.pick("default rule", "in segment employees", "", "not ready", "killed", "fallback - not ready", "archived", "exception",
		"définition 🦊", "not in split", "prerequisites not met", "fallback -", "Not Ready", "matcher not found")
}

func (g *maker) plan() string {
	return g.pick(`"pro"`, `"pr\u006f"`, `12`, `12.0`, `1.20e1`, `true`, `null`, `{"a":[1, "x\u0000\/"]}`, `[ ]`, `""`, `"12"`, `-0.5e-3`,
		`"2026-03-02"`, `"\ud83e\udd8a"`, `""`, `99999999999999999999`)
}

// number writes a whole number as exporters may.
func (g *maker) number(n int64) string {
	s := strconv.FormatInt(n, 10)
	switch g.IntN(8) {
	case 0:
		return `"` + s + `"`
	case 1:
		return s + ".0"
	case 2:
		return s[:1] + "." + s[1:] + "e" + strconv.Itoa(len(s)-1)
	}
	return s
}

// clock writes a time as exporters may.
func (g *maker) clock(ms int64, iso bool) string {
	if !iso && g.chance(0.7) {
		if g.chance(0.1) {
			return strconv.FormatInt(ms, 10) + ".999"
		}
		return g.number(ms)
	}
	t := time.UnixMilli(ms).In(time.FixedZone("", []int{0, 0, 0, 3600, -19800}[g.IntN(5)]))
	s := t.Format("2006-01-02T15:04:05.000") + g.pick("", "", "9", "999999999")
	if ms%1000 == 0 && g.chance(0.5) {
		s = t.Format("2006-01-02T15:04:05")
	}
	zone := t.Format("Z07:00")
	if g.chance(0.05) {
		s, zone = s[:10]+"t"+s[11:], map[bool]string{true: "z", false: zone}[zone == "Z"]
	}
	return `"` + s + zone + `"`
}

// EnvironmentNames returns the names of the environments in made-up files, by
// their ids.
func EnvironmentNames() map[string]string {
	all := map[string]string{}
	for name, id := range environments {
		all[id] = name
	}
	return all
}

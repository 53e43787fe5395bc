package workload

// Preset is an input with a name.
type Preset struct {
	Name, About string
	Params
}

// Presets are the inputs that figures are given for.
func Presets() []Preset {
	with := func(name, about string, change func(*Params)) Preset {
		p := Default()
		change(&p)
		return Preset{name, about, p}
	}
	sweep := func(name, about string, users int, more int64) Preset {
		return with(name, about, func(p *Params) {
			p.Users, p.Sweep, p.Skew, p.Shape = users, true, 0, Webhook
			p.Events, p.Flips, p.Duplicates, p.Late = int64(users)*int64(p.Flags)+more, 1, 0, 0
		})
	}
	return []Preset{
		with("skewed", "some users come often: about 1 M keys, a quarter of the events are changes", func(*Params) {}),
		with("steady", "the same, and as many events again of keys that were seen, 5 % of them changes", func(p *Params) {
			p.Warm, p.Events = p.Events, 2*p.Events
		}),
		with("uniform", "all users are alike: 4.4 M keys, nine of ten events are changes", func(p *Params) { p.Skew = 0 }),
		sweep("keys-1m", "each of 1 M keys once", 50_000, 0),
		sweep("keys-10m", "each of 10 M keys once", 500_000, 0),
		sweep("keys-50m", "each of 50 M keys once", 2_500_000, 0),
		sweep("busy-100k", "each of 100 k keys once, then 4 M changes", 5_000, 4_000_000),
		sweep("busy-5m", "each of 5 M keys once, then 4 M changes", 250_000, 4_000_000),
	}
}

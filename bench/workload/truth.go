package workload

// Truth merges events as the contract says, in the plainest way: the greatest
// time wins, the treatment's bytes among equal times, and an output is due where
// the value differs. It is also what a reader of a contestant's output fills in.
type Truth struct {
	times   []uint32 // + 1, by key
	values  []uint8  // + 1, by key
	counts  []uint16 // of outputs, by key
	outputs int64
	sum     uint64
}

// Digest is what came of an input. Sum is over each key's outputs in their
// order, whatever the order of keys.
type Digest struct {
	Keys    int64  `json:"keys"`
	Outputs int64  `json:"outputs"`
	Sum     uint64 `json:"sum"`
	Final   uint64 `json:"final"` // over the last values alone
	// Ordered tells whether Outputs and Sum are determined by the input.
	Ordered bool `json:"ordered"`
}

// Equal tells whether an output is what must have come of an input.
func (d Digest) Equal(got Digest) bool {
	return d.Keys == got.Keys && d.Final == got.Final && (!d.Ordered || d.Outputs == got.Outputs && d.Sum == got.Sum)
}

func newTruth(keys int) *Truth {
	return &Truth{times: make([]uint32, keys), values: make([]uint8, keys), counts: make([]uint16, keys)}
}

func (t *Truth) take(e Event) {
	value := e.Treatment + 1
	at, before := e.SeenAt+1, t.times[e.Key]
	if at < before || at == before && value <= t.values[e.Key] {
		return
	}
	t.times[e.Key] = at
	if value != t.values[e.Key] {
		t.output(e.Key, value)
	}
}

// output notes that a key's value has changed.
func (t *Truth) output(key uint32, value uint8) {
	t.values[key] = value
	t.counts[key]++
	t.outputs++
	t.sum += mix(uint64(key)<<32 | uint64(t.counts[key])<<8 | uint64(value))
}

func (t *Truth) digest() Digest {
	d := Digest{Outputs: t.outputs, Sum: t.sum}
	for key, value := range t.values {
		if value != 0 {
			d.Keys++
			d.Final += mix(uint64(key)<<8 | uint64(value))
		}
	}
	return d
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast Splittable
// Pseudorandom Number Generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

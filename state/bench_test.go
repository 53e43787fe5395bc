package state

import (
	"fmt"
	"testing"

	"traitstream/impression"
	"traitstream/trait"
)

const (
	benchKeys  = 1_000_000
	benchBatch = 10_000
	benchTasks = 6
)

// BenchmarkStore measures a store on disk with a million records: single reads,
// and transactions of 10,000 keys.
func BenchmarkStore(b *testing.B) {
	o := options(b)
	o.CacheBytes = 0
	s := open(b, o)
	fill(b, s)
	rng := random(1)
	b.Run("get/hit", func(b *testing.B) { benchGet(b, s, func() int { return rng.IntN(benchKeys) }, true) })
	b.Run("get/miss", func(b *testing.B) { benchGet(b, s, func() int { return benchKeys + rng.IntN(benchKeys) }, false) })
	b.Run("load/hit", func(b *testing.B) { benchLoad(b, s, func() int { return rng.IntN(benchKeys) }) })
	b.Run("load/miss", func(b *testing.B) { benchLoad(b, s, func() int { return benchKeys + rng.IntN(benchKeys) }) })
	b.Run("put", func(b *testing.B) { benchPut(b, s, func() int { return rng.IntN(benchKeys) }) })
}

// BenchmarkWant measures finding a key that the transaction has already.
func BenchmarkWant(b *testing.B) {
	o := open(b, inMemory()).NewOverlay()
	keys := make([]trait.Key, benchBatch)
	for i := range keys {
		keys[i] = benchKey(i)
		o.Want(0, keys[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o.Want(0, keys[i%benchBatch])
	}
}

// BenchmarkWantEach measures finding keys of which most are new, from records that
// have left the processor's caches.
func BenchmarkWantEach(b *testing.B) {
	const users, recordBytes = 200_000, 700
	o := open(b, inMemory()).NewOverlay()
	read := make([]byte, users*recordBytes)
	keys := make([]trait.Key, users)
	rng := random(1)
	for i := range keys {
		user := read[i*recordBytes:]
		keys[i] = key(string(user[:0]), "new_checkout")
		keys[i].User = user[:copy(user, userName(i))]
	}
	flags := []byte("abcdefghijklmnopqrst")
	b.ReportAllocs()
	for b.Loop() {
		first := rng.IntN(users - benchBatch)
		o.WantEach(benchBatch, func(i int) (int32, trait.Key) {
			k := keys[first+i]
			k.Trait = flags[i%len(flags)/2:][:1]
			return benchTask(i), k
		}, func(int, Slot) {})
		o.Reset()
	}
	perKey(b)
}

// BenchmarkNew measures telling that keys are new, of tasks with many, and writing
// their records.
func BenchmarkNew(b *testing.B) {
	const known = 600_000
	o := options(b)
	o.CacheBytes = 128 << 20
	s := open(b, o)
	cps := map[int32]Checkpoint{}
	for task := range int32(benchTasks) {
		keys, err := s.keysOf(task)
		must(b, err)
		for i := range known {
			keys.enters(fmt.Appendf(nil, "%d", i))
		}
		cps[task] = at(0)
	}
	i, overlay, value := 0, s.NewOverlay(), record("on", 1_772_446_530_123)
	want := func() (slots []Slot) {
		for j := range benchBatch {
			slots = append(slots, overlay.Want(int32(j*benchTasks/benchBatch), benchKey(i)))
			i++
		}
		return slots
	}
	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			want()
			b.StartTimer()
			must(b, overlay.skipAbsent())
			b.StopTimer()
			overlay.Reset()
			b.StartTimer()
		}
		perKey(b)
	})
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			slots := want()
			must(b, overlay.Load())
			for _, slot := range slots {
				*overlay.Record(slot) = value
				overlay.Touch(slot)
			}
			must(b, overlay.Commit(cps))
			b.StartTimer()
			must(b, overlay.Store())
		}
		perKey(b)
	})
}

func benchKey(i int) trait.Key { return key(userName(i), "new_checkout") }

func benchTask(i int) int32 { return int32(i % benchTasks) }

func fill(b *testing.B, s *Store) {
	b.Helper()
	batch := s.NewBatch()
	value := encoded(record("on", 1_772_446_530_123))
	for i := range benchKeys {
		batch.Put(benchTask(i), stateKey(userName(i), "new_checkout"), value)
		if batch.Size() > 1<<20 || i == benchKeys-1 {
			must(b, batch.Commit())
		}
	}
	must(b, s.db.Flush())
}

func benchGet(b *testing.B, s *Store, next func() int, hit bool) {
	b.ReportAllocs()
	for b.Loop() {
		i := next()
		r, err := s.Get(benchTask(i), benchKey(i))
		if err != nil || (r != nil) != hit {
			b.Fatal(r, err)
		}
	}
}

func benchLoad(b *testing.B, s *Store, next func() int) {
	o := s.NewOverlay()
	keys := make([]trait.Key, benchBatch)
	tasks := make([]int32, benchBatch)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range keys {
			n := next()
			keys[i], tasks[i] = benchKey(n), benchTask(n)
		}
		b.StartTimer()
		for i, k := range keys {
			o.Want(tasks[i], k)
		}
		must(b, o.Load())
		o.Reset()
	}
	perKey(b)
}

// benchPut measures a transaction's changes from the marking to the store.
func benchPut(b *testing.B, s *Store, next func() int) {
	o := s.NewOverlay()
	r := record("off", 1_772_446_530_124)
	cps := map[int32]Checkpoint{}
	b.ReportAllocs()
	slots := make([]Slot, benchBatch)
	for n := int64(0); b.Loop(); n++ {
		b.StopTimer()
		for j := range slots {
			i := next()
			slots[j] = o.Want(benchTask(i), benchKey(i))
		}
		must(b, o.Load())
		for _, slot := range slots {
			*o.Record(slot) = r
		}
		for task := range int32(benchTasks) {
			cps[task] = at(n)
		}
		b.StartTimer()
		for _, slot := range slots {
			o.Touch(slot)
		}
		must(b, o.Apply(cps))
	}
	perKey(b)
}

func perKey(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchBatch, "ns/key")
}

// A question of a user with twenty traits, while a hundred thousand records wait
// for the store.
func BenchmarkKnown(b *testing.B) {
	s := open(b, inMemory())
	o := s.NewOverlay()
	for first := 0; first < 2; first++ { // half of it in the store
		for i := range 100_000 {
			user := userName(i / 20)
			slot := o.Want(0, key(user, fmt.Sprintf("flag-%d-%d", first, i%20)))
			*o.Record(slot) = record("on", int64(i))
			o.Touch(slot)
		}
		must(b, o.Commit(map[int32]Checkpoint{0: at(int64(first + 1))}))
		if first == 0 {
			must(b, o.Store())
		}
	}
	for i := 0; b.Loop(); i++ {
		k, err := o.Known(Lookup{User: User{impression.User, userName(i % 5000)}, Most: 1000})
		if err != nil || len(k.Traits) != 40 {
			b.Fatal(len(k.Traits), err)
		}
	}
}

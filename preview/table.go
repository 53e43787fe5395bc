package preview

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"traitstream/impression"
	"traitstream/schemas"
)

// shards is how many parts a table has, so that readers seldom wait for one
// another.
const shards = 16

// table holds what was last seen of each trait of the users who are kept.
type table struct {
	shards [shards]shard
	words  int          // of a set of definitions
	memory int64        // of a shard, bytes
	users  int64        // kept at most in all shards; 0: no bound
	count  atomic.Int64 // of users who are kept

	// markers tell what was forgotten, and until when. They do not change while
	// impressions are merged.
	markers map[schemas.MarkerKey]int64
	app     string

	mu      sync.Mutex // of those below; taken before a shard's
	level   int        // users are kept whose hash begins with so many zeros
	dropped []crowd    // by definition, users who were kept for a while
}

func newTable(definitions int, memory, users int64) *table {
	t := &table{words: (definitions + 63) / 64, memory: memory / shards, users: users, dropped: make([]crowd, definitions)}
	for i := range t.shards {
		t.shards[i] = shard{table: t}
		t.shards[i].clear(0, 0)
	}
	return t
}

// hashOf returns the hash of a user.
func hashOf(identity impression.Identity, user []byte) uint64 {
	return xxhash.Sum64(user) ^ uint64(identity)*0x9e3779b97f4a7c15
}

// lock returns a user's shard, which the caller unlocks.
func (t *table) lock(hash uint64) *shard {
	s := &t.shards[hash%shards]
	s.mu.Lock()
	return s
}

// relieve lets go of users if there is still no room for a shard's.
func (t *table) relieve(s *shard) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.level < maxLevel && t.stillFull(s) {
		t.level++
		for i := range t.shards {
			t.shards[i].shrink(t.level)
		}
	}
}

// maxLevel leaves one of a million users.
const maxLevel = 20

// full tells whether users must be let go. The shard is locked.
func (t *table) full(s *shard) bool {
	return s.bytes() > t.memory || t.users > 0 && t.count.Load() > t.users
}

func (t *table) stillFull(s *shard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.full(s)
}

// keeps tells whether the shard keeps a user.
func (s *shard) keeps(hash uint64) bool { return bits.LeadingZeros64(hash) >= s.level }

// weight is how many users each that is kept stands for.
func (s *shard) weight() int64 { return 1 << s.level }

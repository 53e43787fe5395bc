package processor

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
	"traitstream/verify"
)

// sweepSlack is how long it may take until an expired trait is gone: the lag is
// measured each 5 s, clocks tick each second here, and a sweep waits for a store.
const sweepSlack = 15 * time.Second

// removedUsers is what was taken away, as the changelog says.
type removedUsers struct {
	oracle.Removed
	all bool // traits expire
}

func (r removedUsers) mentions(user string) bool {
	for k := range r.Forgotten {
		if k.User == user {
			return true
		}
	}
	return r.all
}

// removed reads the markers of some users and the clocks, which it sets back by some
// time.
func (b *bubble) removed(users []string, back time.Duration) removedUsers {
	b.t.Helper()
	out := removedUsers{all: b.cfg.Traits[0].ExpireAfter > 0}
	out.Forgotten = map[oracle.Key]int64{}
	clocks := map[int32]int64{}
	for task := range b.topics.Tasks {
		records := b.replay(task, -1)
		if v, ok := records[string(schemas.ClockKey())]; ok {
			ms, err := schemas.DecodeClock([]byte(v))
			if err != nil {
				b.t.Fatal(err)
			}
			clocks[task] = ms - back.Milliseconds()
		}
		for _, user := range users {
			for _, name := range []string{"", "f", "g", "f0", "f1", "f2"} {
				k := trait.Key{Identity: impression.User, User: []byte(user)}
				if name != "" {
					k.Trait = []byte(name)
				}
				v, ok := records[string(schemas.AppendMarkerKey(nil, schemas.MarkerKeyOf(b.cfg.App, k)))]
				if !ok {
					continue
				}
				m, err := schemas.DecodeMarker([]byte(v))
				if err != nil {
					b.t.Fatal(err)
				}
				out.Forgotten[oracle.Key{Identity: "user", User: user, Trait: name}] = m.Until
			}
		}
	}
	out.Clock = func(user string) int64 { return clocks[kafka.Partition([]byte(user), b.topics.Tasks)] }
	return out
}

// forgetting is a forget that was asked for.
type askedFor struct {
	user, name string
	at         int64
}

// askToForget puts a command into the inbox.
func (b *bubble) askToForget(user, name string) askedFor {
	b.t.Helper()
	c := schemas.Command{Kind: schemas.Forget, Identity: impression.User}
	if name != "" {
		c.Trait = []byte(name)
	}
	now := time.Now()
	b.put(&kgo.Record{
		Topic: b.topics.Inbox.Name, Partition: kafka.Partition([]byte(user), b.topics.Tasks), Key: []byte(user),
		Headers: fleet.RecordHeaders(c.Headers()), Timestamp: now,
	})
	return askedFor{user, name, now.UnixMilli()}
}

// checkForgotten compares the markers with what was asked for.
func (b *bubble) checkForgotten(asked []askedFor) {
	b.t.Helper()
	var users []string
	for _, a := range asked {
		users = append(users, a.user)
	}
	for i := range 12 {
		users = append(users, fmt.Sprintf("k%d", i), fmt.Sprintf("s%d", i))
	}
	forgotten := b.removed(users, 0).Forgotten
	wanted, latest := map[oracle.Key]bool{}, time.Now().UnixMilli()
	for _, a := range asked {
		key := oracle.Key{Identity: "user", User: a.user, Trait: a.name}
		wanted[key] = true
		until, ok := forgotten[key]
		if !ok || until < a.at || until > latest+1000 {
			b.t.Errorf("%s was to be forgotten at %d, and is until %d (%v)", key.JSON(), a.at, until, ok)
		}
	}
	for key := range forgotten {
		if !wanted[key] {
			b.t.Errorf("nobody wanted %s to be forgotten", key.JSON())
		}
	}
}

// verify has the program's own verification find nothing, and returns what it tells.
func (b *bubble) verify() (report *verify.Report) {
	b.t.Helper()
	for _, dir := range b.dirs {
		s := b.store(dir)
		var err error
		report, err = verify.Run(b.t.Context(), verify.Options{Config: b.cfg, Topics: b.topics, Client: b.client, Store: s}, func(d verify.Difference) error {
			b.t.Errorf("verify finds of %s %s: %s", d.User, d.Trait, d.Message)
			return nil
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.t.Error(err)
		}
	}
	return report
}

// Whatever happens while users are forgotten and traits expire, what is left is
// what the oracle makes of the impressions that were seen after that, and nothing
// else. Seeds are those of TestRandomFaults.
func TestRandomRemovals(t *testing.T) {
	t.Parallel()
	withSeeds(t, 150, randomRemovals)
}

func randomRemovals(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	tasks, strays, workers := 1+r.Int32N(4), 1+r.Int32N(6), 1+r.IntN(4)
	expire := []string{"", ", expire_after: 20s", ", expire_after: 5m"}[r.IntN(3)]
	yaml := fmt.Sprintf("sources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\", not_served: clear%s}]\n"+
		"output: {partitions: %d}\nprocessor: {workers: %d, session_timeout: 6s, commit_interval: %dms, flush_interval: %s}\n",
		expire, tasks, workers, 1+r.IntN(500), []string{"0s", "200ms", "5s", "5m"}[r.IntN(4)])
	inBubble(t, yaml, map[string]int32{"b": strays}, func(b *bubble) {
		b.transactionVersion(1 + int16(seed%2))
		c := &chaos{Rand: r, b: b, in: newInput(b, seed)}
		c.in.live, c.in.steady = true, r.IntN(2) == 0
		var asked []askedFor
		for range 3 + c.IntN(8) {
			c.in.put(1 + c.IntN(30))
			for range c.IntN(4) {
				asked = append(asked, b.askToForget(fmt.Sprintf("%c%d", "ks"[c.IntN(2)], c.IntN(8)), []string{"", "", "f1"}[c.IntN(3)]))
				c.in.put(c.IntN(5))
			}
			c.event()
			c.pass()
		}
		c.calm()
		b.settle()
		b.check(b.dirs...)
		b.checkForgotten(asked)
		b.verify()
	})
}

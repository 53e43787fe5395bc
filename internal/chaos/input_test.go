//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// directUsers have all of their impressions in the partition of web that is
	// their task's own: their changes are known to the byte (S12).
	directUsers = 5000
	// roamingUsers turn up in any partition of both sources.
	roamingUsers = 2000
	directPrefix = "direct-"
	anywhere     = -1 // no partition of its own
)

// javaPartition is where Java's default partitioner puts a key.
func javaPartition(key string, partitions int) int32 {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return int32(p.Partition(&kgo.Record{Key: []byte(key)}, partitions))
}

// maker makes up records.
type maker struct {
	*rand.Rand
	direct [tasks][]string // users by their task
}

func newMaker(random *rand.Rand) *maker {
	m := &maker{Rand: random}
	for i := range directUsers {
		user := fmt.Sprintf("%s%d", directPrefix, i)
		task := javaPartition(user, tasks)
		m.direct[task] = append(m.direct[task], user)
	}
	return m
}

// record makes a record for a source: most are keyed as they should be, others
// have no key, another number of partitions, several users, or are no good.
func (m *maker) record(now time.Time) *kgo.Record {
	r := &kgo.Record{Topic: web, Partition: anywhere, Timestamp: now}
	task := m.IntN(tasks)
	user := m.direct[task][m.IntN(len(m.direct[task]))]
	roaming := fmt.Sprintf("roaming-%d", m.IntN(roamingUsers))
	switch kind := m.IntN(100); {
	case kind < 68:
		r.Partition, r.Key, r.Value = int32(task), []byte(user), []byte(m.impression(user, now))
	case kind < 80:
		r.Value = []byte(m.impression(roaming, now))
	case kind < 94:
		r.Topic, r.Key, r.Value = mobile, []byte(roaming), []byte(m.impression(roaming, now))
	case kind < 98:
		r.Partition, r.Value = int32(task), []byte(m.array(user, now))
	default:
		r.Value = []byte(m.bad(roaming, now))
	}
	return r
}

// impression makes one in one of two shapes, up to 20 s late.
func (m *maker) impression(user string, now time.Time) string {
	seen := now.UnixMilli() - m.Int64N(20_000)
	flag := fmt.Sprintf("flag_%d", m.IntN(4))
	treatment := []string{"on", "on", "off", "off", "v2", "control"}[m.IntN(6)]
	label := []string{"default rule", "in segment all", "killed", "not ready"}[min(3, m.IntN(20)%4+m.IntN(5)/4)]
	version := m.IntN(3)
	if m.IntN(4) > 0 {
		return fmt.Sprintf(`{"key":%q,"split":%q,"treatment":%q,"time":%d,"label":%q,"splitVersionNumber":%d,"environmentName":"Production"}`,
			user, flag, treatment, seen, label, version)
	}
	return fmt.Sprintf(`{"type":"track","event":"get_treatment","userId":%q,"timestamp":%q,`+
		`"properties":{"split":%q,"treatment":%q,"label":%q,"splitVersionNumber":%d}}`,
		user, time.UnixMilli(seen).UTC().Format("2006-01-02T15:04:05.000Z"), flag, treatment, label, version)
}

// array holds impressions of a user of the record's own task and of others.
func (m *maker) array(user string, now time.Time) string {
	all := []string{m.impression(user, now)}
	for range 1 + m.IntN(4) {
		all = append(all, m.impression(fmt.Sprintf("roaming-%d", m.IntN(roamingUsers)), now))
	}
	if m.IntN(4) == 0 {
		all = append(all, m.bad(user, now))
	}
	m.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return "[" + strings.Join(all, ",") + "]"
}

// bad makes an element that is refused and that is JSON.
func (m *maker) bad(user string, now time.Time) string {
	switch m.IntN(4) {
	case 0:
		return `{"split":"flag_1","treatment":"on","time":1772446530123}`
	case 1:
		return fmt.Sprintf(`{"key":%q,"split":"flag_1","treatment":"on","time":%d}`, user, now.Unix())
	case 2:
		return fmt.Sprintf(`{"key":%q,"split":"flag_1","treatment":"on","time":%d}`, user, now.Add(time.Hour).UnixMilli())
	}
	return fmt.Sprintf(`{"hello":%d}`, m.IntN(1000))
}

package deadletter

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
)

// Marks tell which letters were put back.
type Marks struct {
	topicID  string // of the dead letters
	runs     map[int32][][2]int64
	obsolete [][]byte // keys of marks of which no letter is left
}

// ReadMarks reads from the control topic which of the dead letters were put back.
// It waits for transactions that are open. A control topic that is missing holds
// none.
func ReadMarks(ctx context.Context, cl *kgo.Client, control, letters kafka.Topic) (*Marks, error) {
	m := &Marks{runs: map[int32][][2]int64{}}
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx, letters.Name)
	if err != nil {
		return nil, fmt.Errorf("looking up topic %s: %w", letters.Name, kafka.Explain(err))
	}
	if id := topics[letters.Name].ID; id != (kadm.TopicID{}) {
		m.topicID = base64.RawURLEncoding.EncodeToString(id[:])
	}
	if control.Missing {
		return m, nil
	}
	starts, err := listed(adm.ListStartOffsets(ctx, letters.Name))
	if err != nil {
		return nil, err
	}
	latest := map[string]schemas.ReplayMark{}
	reader := Reader{Client: cl, Topic: control.Name}
	err = reader.Read(ctx, func(r *kgo.Record) error {
		if r.Value == nil {
			delete(latest, string(r.Key))
			return nil
		}
		mark, ok, err := schemas.ParseReplayMark(r.Key, r.Value)
		if err != nil || !ok {
			return err
		}
		latest[string(r.Key)] = mark
		return nil
	})
	if err != nil {
		return nil, err
	}
	for key, mark := range latest {
		start, ok := starts.Lookup(letters.Name, mark.Partition)
		if last := mark.Offsets[len(mark.Offsets)-1][1]; mark.TopicID != m.topicID || !ok || last < start.Offset {
			m.obsolete = append(m.obsolete, []byte(key))
			continue
		}
		m.runs[mark.Partition] = append(m.runs[mark.Partition], mark.Offsets...)
	}
	for _, runs := range m.runs {
		slices.SortFunc(runs, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	}
	return m, nil
}

// Has tells whether a letter was put back.
func (m *Marks) Has(r *kgo.Record) bool {
	runs := m.runs[r.Partition]
	i, found := slices.BinarySearchFunc(runs, r.Offset, func(run [2]int64, offset int64) int { return cmp.Compare(run[0], offset) })
	return found || i > 0 && r.Offset <= runs[i-1][1]
}

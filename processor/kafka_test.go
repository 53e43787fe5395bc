package processor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: what the embedded broker can't
// show is late markers and the real coordinators.
func TestRealKafka(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("TRAITSTREAM_TEST_BROKERS names no Kafka (host:port,...)")
	}
	app := fmt.Sprintf("test-%s", newName())
	w := newWorldAt(t, fmt.Sprintf("app: %s\nsources: [{topic: %s-a}, {topic: %s-b}]\noutput: {partitions: 4}", app, app, app),
		4, strings.Split(brokers, ","))
	dir := t.TempDir()
	want := map[string][]string{}
	for round := range 3 {
		var records []*kgo.Record
		for i := range 300 {
			user := fmt.Sprintf("u%d", i)
			r := impressionRecord(user, "f", fmt.Sprintf("v%d", round), int64(round))
			r.Topic, r.Partition = app+[]string{"-a", "-b"}[i%2], int32(i%4)
			records = append(records, r)
			name := fmt.Sprintf("user/%s/f", user)
			want[name] = append(want[name], fmt.Sprintf(`"v%d"`, round))
		}
		w.put(records...)
		m := w.member(dir)
		m.drain()
		if forwarded := m.impressions(app+"-a", "forwarded") + m.impressions(app+"-b", "forwarded"); forwarded == 0 {
			t.Error("nothing was forwarded")
		}
	}
	got := w.changes()
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s has the changes %v, want %v", name, got[name], values)
		}
	}
}

package processor

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/trait"
)

// BenchmarkIntake turns records into sightings, with the decoding and without:
// events of 20 flags, keyed by user.
func BenchmarkIntake(b *testing.B) {
	cfg, err := config.Parse("test.yaml", nil, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	set, err := trait.NewSet(cfg.Traits)
	if err != nil {
		b.Fatal(err)
	}
	const events = 1000
	topics := &kafka.Topics{Tasks: 1}
	in := newIntake(&Options{Fleet: fleet.Fleet{Config: cfg, Topics: topics}, Traits: set, Log: slog.New(slog.DiscardHandler)}, newTally(), nil, nil)
	var records []*kgo.Record
	for i := range events {
		records = append(records, benchRecord(i))
	}
	d := in.base.decoder(records[0].Topic, records[0])
	for _, r := range records {
		if in.elements, err = d.Decode(in.elements, r.Value, nil); err != nil {
			b.Fatal(err)
		}
	}
	elements := in.elements
	in.elements = nil
	var a arrival
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%events == 0 {
				in.reset()
			}
			if err := in.meet(records[i%events], &a); err != nil {
				b.Fatal(err)
			}
			if in.elements, err = in.base.decoder(a.place.Topic, a.record).Decode(in.elements[:0], a.record.Value, nil); err != nil {
				b.Fatal(err)
			}
			in.element(&a, &in.elements[0])
		}
	})
	in.reset()
	b.Run("decoded", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%events == 0 {
				in.base.matcher.Reset()
				in.sightings = in.sightings[:0]
			}
			if err := in.meet(records[i%events], &a); err != nil {
				b.Fatal(err)
			}
			in.element(&a, &elements[i%events])
		}
	})
}

func benchRecord(i int) *kgo.Record {
	user, at := fmt.Sprintf("user-%07d", i*7919), time.UnixMilli(noon+int64(i)).UTC()
	seen := at.Format("2006-01-02T15:04:05.000Z")
	return &kgo.Record{
		Topic: "impressions", Key: []byte(user), Timestamp: at, Offset: int64(i),
		Value: fmt.Appendf(nil, `{"type":"track","event":"get_treatment","userId":%q,"messageId":"api-%016x",`+
			`"timestamp":%[3]q,"originalTimestamp":%[3]q,"receivedAt":%[3]q,"properties":{"split":"flag_%02[4]d","treatment":%[5]q,`+
			`"label":"default rule","environmentName":"Production","environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002",`+
			`"key":%[1]q,"splitVersionNumber":1665436973467,"sdk":"java-server","sdkVersion":"4.12.0"},`+
			`"context":{"library":{"name":"unknown","version":"unknown"}}}`,
			user, i, seen, i%20, []string{"on", "off", "v2"}[i%3]),
	}
}

package explorer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ann is a user who is in task 2 of 3.
var ann = state.User{Identity: impression.User, ID: "ann"}

func set(t testing.TB, definitions ...trait.Definition) *trait.Set {
	t.Helper()
	s, err := trait.NewSet(definitions)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options are those of a process that is asked by a function.
func options(t testing.TB, ask func(context.Context, state.Lookup) (*state.Known, error)) Options {
	cfg, err := config.Parse("test.yaml", nil, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Teller: Teller{App: "app", Traits: set(t, cfg.Traits...), Origin: Origin{Kind: FromOwner, Instance: "here"}},
		Tasks:  3, Ask: ask,
		Owner: func(context.Context, int32) (Member, error) { panic("nobody has to be found") },
	}
}

// serve serves the options and returns the address.
func serve(t testing.TB, o Options) string {
	t.Helper()
	return serveHandler(t, Handler(o))
}

func serveHandler(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// known is what a task knows of a user with a trait f.
func known() *state.Known {
	value := []byte(`"on"`)
	return &state.Known{Clock: 1000, Traits: []state.KnownTrait{{Name: []byte("f"), Record: trait.Record{
		Seen: trait.Register{SeenAt: 1_772_446_830_123, Version: 8, Treatment: []byte("on"), Value: value},
		Emitted: trait.Emission{
			Sent: true, Value: value, Previous: []byte(`"off"`), SeenAt: 1_772_446_800_000, Version: 7, Generation: 2,
			Facts: trait.Facts{
				Flag: []byte("f"), Environment: []byte("Production"), Definition: "{split}",
				Place: trait.Place{Topic: "impressions", Partition: 3, Offset: 42, Index: 5, Timestamp: 1_772_446_801_000},
			},
		},
	}}}}
}

func marked(k *state.Known) *state.Known {
	k.Markers = []schemas.Marker{{Until: 2000, At: 1500}, {Until: 1000, At: 900}}
	return k
}

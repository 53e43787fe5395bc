package deploy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// dashboard is what is checked of Grafana's format.
type dashboard struct {
	UID        string
	Title      string
	Templating struct{ List []struct{ Name string } }
	Panels     []panel
}

type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("grafana/traitstream.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries returns what a dashboard asks for, by panel, as Grafana would send it.
func (d dashboard) queries() map[string][]string {
	filled := strings.NewReplacer("$__rate_interval", "1m", "$__range", "15m", "$job", "traitstream", "$instance", ".*")
	queries := map[string][]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], filled.Replace(target.Expr))
		}
	}
	return queries
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids, places := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: the id comes twice, or it is empty", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %s or beyond the edge", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
	}
	for title, queries := range d.queries() {
		for _, q := range queries {
			if strings.Contains(q, "$") {
				t.Errorf("%s uses a variable that is not there: %s", title, q)
			}
			if len(metricNames(t, q)) == 0 {
				t.Errorf("%s asks for nothing: %s", title, q)
			}
		}
	}
}

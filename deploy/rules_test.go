package deploy

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// rules returns the alerts by name.
func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile("prometheus/rules.yml", false, model.LegacyValidation, newParser(), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	byName := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			byName[r.Alert] = r
		}
	}
	return byName
}

// Who is woken up by an alert finds what to do: each has a section of its own.
func TestEachAlertHasItsRunbook(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	all := rules(t)
	for name, r := range all {
		if r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket" {
			t.Errorf("%s has severity %q", name, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s says too little", name)
		}
		if want := "docs/operations.md#" + strings.ToLower(name); r.Annotations["runbook"] != want {
			t.Errorf("%s: the runbook is %s, want %s", name, r.Annotations["runbook"], want)
		}
		if !slices.Contains(lines, "### "+name) {
			t.Errorf("docs/operations.md has no section %s", name)
		}
	}
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line, "### Traitstream"); ok && all["Traitstream"+name].Alert == "" {
			t.Errorf("docs/operations.md has a section on Traitstream%s, which is no alert", name)
		}
	}
}

// alertCase is what an alert does after some minutes of made-up series: for how
// many label sets it fires.
type alertCase struct {
	alert  string
	when   string
	series []string
	after  int // minutes
	fires  int
}

func a(name string, more ...string) string {
	return name + `{` + strings.Join(append([]string{`job="traitstream"`, `instance="a"`}, more...), ",") + `} `
}

func alertCases() []alertCase {
	other := strings.ReplaceAll
	return []alertCase{
		{"TraitstreamDown", "an instance is gone", []string{a("up") + "1x5 0x10", `up{job="traitstream",instance="b"} 1x20`}, 10, 1},
		{"TraitstreamDown", "it restarts", []string{a("up") + "1x5 0 0 1x10"}, 8, 0},
		{"TraitstreamDown", "another job's", []string{`up{job="other",instance="a"} 0x20`}, 10, 0},

		{"TraitstreamAllDown", "all are gone", []string{a("up") + "0x20", `up{job="traitstream",instance="b"} 0x20`}, 5, 1},
		{"TraitstreamAllDown", "nobody knows of any", nil, 5, 1},
		{"TraitstreamAllDown", "one is left", []string{a("up") + "0x20", `up{job="traitstream",instance="b"} 1x20`}, 5, 0},

		{"TraitstreamNotReady", "it waits for the group", []string{a("traitstream_ready") + "0x20"}, 10, 1},
		{"TraitstreamNotReady", "it restores", []string{a("traitstream_ready") + "0x20", a("traitstream_restore_remaining_records", `task="1"`) + "9x20"}, 10, 0},
		{"TraitstreamNotReady", "another one restores", []string{a("traitstream_ready") + "0x20", other(a("traitstream_restore_remaining_records", `task="1"`), `"a"`, `"b"`) + "9x20"}, 10, 1},
		{"TraitstreamNotReady", "it is ready", []string{a("traitstream_ready") + "0x5 1x20"}, 10, 0},

		{"TraitstreamRestoreStuck", "nothing is read", []string{a("traitstream_restore_remaining_records", `task="1"`) + "900x30", a("traitstream_restore_records_total") + "100x30"}, 20, 1},
		{"TraitstreamRestoreStuck", "it goes on", []string{a("traitstream_restore_remaining_records", `task="1"`) + "900-10x30", a("traitstream_restore_records_total") + "100+10x30"}, 20, 0},
		{"TraitstreamRestoreStuck", "it is done", []string{a("traitstream_restore_remaining_records", `task="1"`) + "0x30", a("traitstream_restore_records_total") + "100x30"}, 20, 0},

		{"TraitstreamLag", "a task stands still", []string{a("traitstream_task_lag_seconds", `task="1"`) + "0+60x30", a("traitstream_task_lag_seconds", `task="2"`) + "0x30"}, 10, 1},
		{"TraitstreamLag", "a task catches up", []string{a("traitstream_task_lag_seconds", `task="1"`) + "0 100 200 100 0x30"}, 10, 0},
		{"TraitstreamLag", "it moves to another instance", []string{a("traitstream_task_lag_seconds", `task="1"`) + "100x4 _x20", other(a("traitstream_task_lag_seconds", `task="1"`), `"a"`, `"b"`) + "_x4 100x20"}, 10, 1},
		{"TraitstreamLagHigh", "a task is far behind", []string{a("traitstream_task_lag_seconds", `task="1"`) + "1000x30"}, 10, 1},
		{"TraitstreamLagHigh", "a task is behind", []string{a("traitstream_task_lag_seconds", `task="1"`) + "100x30"}, 10, 0},

		{"TraitstreamRecordsLost", "retention was faster", []string{a("traitstream_skipped_records_total") + "0x5 7x20"}, 10, 1},
		{"TraitstreamRecordsLost", "long ago", []string{a("traitstream_skipped_records_total") + "0x5 7x60"}, 40, 0},
		{"TraitstreamTimesLost", "a restore found them gone", []string{a("traitstream_lost_times_records_total") + "0x5 7x20"}, 10, 1},
		{"TraitstreamTimesLost", "none", []string{a("traitstream_lost_times_records_total") + "0x20"}, 10, 0},

		{"TraitstreamDeadLetters", "one in ten", []string{a("traitstream_dead_letters_total", `reason="malformed"`) + "0+60x40", a("traitstream_impressions_total", `result="same"`) + "0+540x40", a("traitstream_impressions_total", `result="dead_letter"`) + "0+60x40"}, 30, 1},
		{"TraitstreamDeadLetters", "one in a thousand", []string{a("traitstream_dead_letters_total", `reason="malformed"`) + "0+1x40", a("traitstream_impressions_total", `result="same"`) + "0+999x40"}, 30, 0},
		{"TraitstreamDeadLetters", "nothing comes", []string{a("traitstream_dead_letters_total", `reason="malformed"`) + "5x40", a("traitstream_impressions_total", `result="same"`) + "5x40"}, 30, 0},

		{"TraitstreamCommitFailures", "one in five", []string{a("traitstream_commits_total", `result="committed"`) + "0+480x40", a("traitstream_commits_total", `result="aborted"`) + "0+60x40", a("traitstream_commits_total", `result="failed"`) + "0+60x40"}, 30, 1},
		{"TraitstreamCommitFailures", "all", []string{a("traitstream_commits_total", `result="committed"`) + "9x40", a("traitstream_commits_total", `result="failed"`) + "0+1x40"}, 30, 1},
		{"TraitstreamCommitFailures", "a rebalance", []string{a("traitstream_commits_total", `result="committed"`) + "0+600x40", a("traitstream_commits_total", `result="aborted"`) + "0x20 3x20"}, 30, 0},

		{"TraitstreamBrokersUnreachable", "a broker is away", []string{a("traitstream_kafka_connect_errors_total", `node_id="1"`, `worker="0"`) + "0+4x30"}, 15, 1},
		{"TraitstreamBrokersUnreachable", "it was", []string{a("traitstream_kafka_connect_errors_total", `node_id="1"`, `worker="0"`) + "0 4x30"}, 15, 0},

		{"TraitstreamRebalancing", "one comes and goes", []string{a("traitstream_rebalances_total") + "0+1x40"}, 35, 1},
		{"TraitstreamRebalancing", "a rolling restart", []string{a("traitstream_rebalances_total") + "2x5 4 6 8 10x40"}, 35, 0},

		{"TraitstreamStateDiskFilling", "it fills", []string{a("traitstream_state_disk_free_bytes") + "10e9-10e6x120"}, 110, 1},
		{"TraitstreamStateDiskFilling", "it takes days", []string{a("traitstream_state_disk_free_bytes") + "10e9-1e6x120"}, 110, 0},
		{"TraitstreamStateDiskFilling", "nobody can tell", []string{a("traitstream_state_disk_free_bytes") + "-1x120"}, 110, 0},
		{"TraitstreamStateDiskFull", "it is full", []string{a("traitstream_state_disk_free_bytes") + "1e6x20"}, 10, 1},
		{"TraitstreamStateDiskFull", "it is not", []string{a("traitstream_state_disk_free_bytes") + "1e9x20"}, 10, 0},
		{"TraitstreamStateDiskFull", "nobody can tell", []string{a("traitstream_state_disk_free_bytes") + "-1x20"}, 10, 0},
	}
}

func TestAlerts(t *testing.T) {
	all, seen := rules(t), map[string][2]int{}
	for _, c := range alertCases() {
		t.Run(c.alert+"/"+c.when, func(t *testing.T) {
			r, ok := all[c.alert]
			if !ok {
				t.Fatal("there is no such alert")
			}
			firing := fire(t, r, newMade(t, c.series...), time.Duration(c.after)*time.Minute)
			if len(firing) != c.fires {
				t.Errorf("it fires for %v, want %d", firing, c.fires)
			}
			for _, f := range firing {
				tells(t, r, f)
			}
		})
		counts := seen[c.alert]
		counts[min(c.fires, 1)]++
		seen[c.alert] = counts
	}
	for name := range all {
		if seen[name][0] == 0 || seen[name][1] == 0 {
			t.Errorf("%s is not tested both ways", name)
		}
	}
}

// fire evaluates an alert at each step, as Prometheus does, and returns for what
// it fires in the end: what has held for as long as it has to.
func fire(t *testing.T, r rulefmt.Rule, m *made, end time.Duration) []promql.Sample {
	t.Helper()
	since, firing := map[uint64]time.Duration{}, []promql.Sample(nil)
	for at := time.Duration(0); at <= end; at += step {
		active := map[uint64]time.Duration{}
		firing = nil
		for _, s := range m.query(t, r.Expr, at) {
			key := labels.NewBuilder(s.Metric).Del(model.MetricNameLabel).Labels().Hash()
			began, ok := since[key]
			if !ok {
				began = at
			}
			active[key] = began
			if at-began >= time.Duration(r.For) {
				firing = append(firing, s)
			}
		}
		since = active
	}
	return firing
}

// tells checks that the words of an alert can be made of what it fires for.
func tells(t *testing.T, r rulefmt.Rule, s promql.Sample) {
	t.Helper()
	data := template.AlertTemplateData(s.Metric.Map(), nil, "", s)
	for what, text := range r.Annotations {
		expander := template.NewTemplateExpander(context.Background(), "{{$labels := .Labels}}{{$value := .Value}}"+text,
			r.Alert, data, 0, nil, &url.URL{}, []string{"missingkey=error"})
		if got, err := expander.Expand(); err != nil || strings.Contains(got, "no value") {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

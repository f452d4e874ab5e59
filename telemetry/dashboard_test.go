package telemetry_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// prometheusNames returns the names that a run has in Prometheus, by the rules of the OpenTelemetry exporter, with the labels of each.
func prometheusNames(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for name, m := range everything(t).metrics(t) {
		var labels []string
		for _, p := range points(t, m) {
			for _, a := range p.set.ToSlice() {
				labels = append(labels, strings.ReplaceAll(string(a.Key), ".", "_"))
			}
		}
		name = strings.ReplaceAll(name, ".", "_")
		if m.Unit == "s" {
			name += "_seconds"
		}
		switch m.Data.(type) {
		case metricdata.Sum[int64]:
			found[name+"_total"] = labels
		case metricdata.Histogram[float64]:
			found[name+"_count"], found[name+"_sum"], found[name+"_bucket"] = labels, labels, append(labels, "le")
		default:
			found[name] = labels
		}
	}
	return found
}

// expressions returns the queries of the dashboard and of the alerts.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/grafana/portner.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Query any
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			require.NotEmpty(t, target.Expr, p.Title)
			all = append(all, target.Expr)
		}
	}
	require.Greater(t, len(all), 15)
	rules, err := os.ReadFile("../docs/prometheus/alerts.yaml")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(rules), -1)
	require.Len(t, found, strings.Count(string(rules), "- alert: "))
	for _, m := range found {
		all = append(all, m[1])
	}
	return all
}

var word = regexp.MustCompile(`\bportner_\w+`)

// TestDashboardAndAlerts: each metric and label in an expression exists, and belongs together.
func TestDashboardAndAlerts(t *testing.T) {
	t.Parallel()
	names := prometheusNames(t)
	for _, e := range expressions(t) {
		var labels, metrics []string
		for _, w := range word.FindAllString(e, -1) {
			if _, ok := names[w]; ok {
				metrics = append(metrics, w)
				labels = append(labels, names[w]...)
			}
		}
		require.NotEmpty(t, metrics, e)
		for _, w := range word.FindAllString(e, -1) {
			require.True(t, slices.Contains(metrics, w) || slices.Contains(labels, w), "%s is no metric, and no label of one, in %s", w, e)
		}
	}
}

// TestEveryAlarmHasAnAlert: each event sec.* and sys.* is in one alert, and in the table of docs/operations.md that says what to do.
func TestEveryAlarmHasAnAlert(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../docs/prometheus/alerts.yaml")
	require.NoError(t, err)
	operations, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	event := regexp.MustCompile(`\b(?:sec|sys)\.\w+`)
	alerting := event.FindAllString(string(rules), -1)
	slices.Sort(alerting)
	require.Equal(t, slices.Compact(slices.Clone(alerting)), alerting, "an event is in two alerts")
	require.Equal(t, alarms(t), alerting)
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		require.Contains(t, string(operations), "| `"+m[1]+"` |")
	}
	for _, name := range alarms(t) {
		require.Contains(t, string(operations), "`"+name+"`")
	}
}

// alarms returns the names of the events that alerts are about.
func alarms(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("../event.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`EventName = "((?:sec|sys)\.\w+)"`).FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1])
	}
	require.Greater(t, len(names), 20)
	slices.Sort(names)
	return names
}

package telemetry_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// TestInstruments: docs/telemetry.md has each instrument that a run emits, with its kind, unit and attributes, and no other.
func TestInstruments(t *testing.T) {
	t.Parallel()
	var emitted []string
	for name, m := range everything(t).metrics(t) {
		var attributes []string
		for _, p := range points(t, m) {
			for _, a := range p.set.ToSlice() {
				if !slices.Contains(attributes, string(a.Key)) {
					attributes = append(attributes, string(a.Key))
				}
			}
		}
		require.Contains(t, attributes, "portner.provider", name)
		attributes = slices.DeleteFunc(attributes, func(a string) bool { return a == "portner.provider" })
		slices.Sort(attributes)
		emitted = append(emitted, fmt.Sprint(name, " ", kindOf(m), " ", m.Unit, " ", attributes))
	}
	require.ElementsMatch(t, emitted, documented(t))
}

func kindOf(m metricdata.Metrics) string {
	switch m.Data.(type) {
	case metricdata.Sum[int64]:
		return "counter"
	case metricdata.Histogram[float64]:
		return "histogram"
	case metricdata.Gauge[int64], metricdata.Gauge[float64]:
		return "gauge"
	}
	return fmt.Sprintf("%T", m.Data)
}

// documented returns the rows of the table of instruments.
func documented(t *testing.T) (rows []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/telemetry.md")
	require.NoError(t, err)
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.HasPrefix(cells[1], " `portner.") {
			continue
		}
		var attributes []string
		for _, m := range code.FindAllStringSubmatch(cells[4], -1) {
			attributes = append(attributes, m[1])
		}
		slices.Sort(attributes)
		name, unit := code.FindStringSubmatch(cells[1])[1], code.FindStringSubmatch(cells[3])[1]
		rows = append(rows, fmt.Sprint(name, " ", strings.TrimSpace(cells[2]), " ", unit, " ", attributes))
	}
	return rows
}

// TestREADME: the function of README.md is the one that is compiled.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)
	require.NotNil(t, block)
	require.Contains(t, string(example), "\n"+string(block[1])+"\n")
}

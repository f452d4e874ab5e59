package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plan is a plan of the OpenID conformance suite with the clients of conformance.json.
type plan struct {
	name, client, other string
	formPost            bool
	modules             map[string]func(*module) string
	without             []string // modules that the plan does not have
}

// plans are the plans of docs/conformance.md.
var plans = []plan{
	{name: "oidcc-config-certification-test-plan", client: "conf-basic-1", modules: configModules},
	{name: "oidcc-basic-certification-test-plan", client: "conf-basic-1", other: "conf-basic-2", modules: basicModules},
	{name: "oidcc-formpost-basic-certification-test-plan", client: "conf-basic-1", other: "conf-basic-2", formPost: true, modules: basicModules},
	{name: "oidcc-rp-initiated-logout-certification-test-plan", client: "conf-basic-1", modules: logoutModules},
	{name: "oidcc-frontchannel-rp-initiated-logout-certification-test-plan", client: "conf-front-1", modules: frontModules},
	{name: "oidcc-backchannel-rp-initiated-logout-certification-test-plan", client: "conf-back-1", modules: backModules},
	{
		name: "oidcc-test-plan", client: "conf-pkjwt-1", other: "conf-pkjwt-2", modules: basicModules, // client_auth_type=private_key_jwt
		without: []string{"oidcc-server-client-secret-post"},
	},
}

// names returns the modules of a plan, sorted.
func (p *plan) names() []string {
	var names []string
	for name := range p.modules {
		if !slices.Contains(p.without, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestConformance runs each module of docs/conformance.md over https, with the same requests and expectations as the suite. A module
// has the result that the document says.
func TestConformance(t *testing.T) {
	t.Parallel()
	documented := documentedResults(t)
	b := newBed(t) // its clock is moved by modules, so they run one after another
	for _, p := range plans {
		t.Run(p.name, func(t *testing.T) {
			for _, name := range p.names() {
				t.Run(name, func(t *testing.T) {
					require.Equal(t, documented[p.name][name], p.modules[name](b.module(t, &p)))
				})
			}
		})
	}
}

// TestConformanceDocument: the document has each module that is run, and no other one.
func TestConformanceDocument(t *testing.T) {
	t.Parallel()
	documented := documentedResults(t)
	require.Len(t, documented, len(plans))
	for _, p := range plans {
		var names []string
		count := map[string]int{}
		for name, result := range documented[p.name] {
			names = append(names, name)
			count[result]++
		}
		slices.Sort(names)
		require.Equal(t, p.names(), names, p.name)
		summary := fmt.Sprintf("%d modules: %d PASS, %d REVIEW, %d SKIPPED", len(names), count[passed], count[review], count[skipped])
		require.Contains(t, section(t, p.name), summary)
	}
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/conformance.md")
	require.NoError(t, err)
	return string(text)
}

// section returns the section of a plan in the document.
func section(t *testing.T, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(document(t), "\n## `"+name+"`")
	require.True(t, ok, name)
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

var (
	planHeading = regexp.MustCompile("(?m)^## `([a-z-]+)`")
	moduleRow   = regexp.MustCompile("(?m)^\\| `(oidcc-[a-z0-9-]+)` \\| ([A-Z]+) \\|")
)

// documentedResults returns the result of each module of each plan in the document.
func documentedResults(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, h := range planHeading.FindAllStringSubmatch(document(t), -1) {
		all[h[1]] = map[string]string{}
		for _, row := range moduleRow.FindAllStringSubmatch(section(t, h[1]), -1) {
			require.NotContains(t, all[h[1]], row[1])
			all[h[1]][row[1]] = row[2]
		}
	}
	return all
}

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/slow"
	"github.com/stretchr/testify/require"
)

// fapiPlan is a FAPI 2.0 plan of the suite.
type fapiPlan struct {
	name             string
	signed, machines bool
	counts           map[string]int // modules by variant
}

var fapiPlans = []fapiPlan{
	{name: "fapi2-security-profile-final-test-plan", machines: true, counts: map[string]int{
		"private_key_jwt,dpop,openid_connect": 56, "private_key_jwt,mtls,openid_connect": 47, "mtls,dpop,openid_connect": 46, "mtls,mtls,openid_connect": 37,
		"private_key_jwt,dpop,plain_oauth": 50, "private_key_jwt,mtls,plain_oauth": 41, "mtls,dpop,plain_oauth": 40, "mtls,mtls,plain_oauth": 31,
		"private_key_jwt,dpop,fapi_client_credentials_grant": 14, "private_key_jwt,mtls,fapi_client_credentials_grant": 10,
		"mtls,dpop,fapi_client_credentials_grant": 9, "mtls,mtls,fapi_client_credentials_grant": 5,
	}},
	{name: "fapi2-message-signing-final-test-plan", signed: true, counts: map[string]int{
		"private_key_jwt,dpop,openid_connect": 70, "private_key_jwt,mtls,openid_connect": 61, "mtls,dpop,openid_connect": 60, "mtls,mtls,openid_connect": 51,
		"private_key_jwt,dpop,plain_oauth": 64, "private_key_jwt,mtls,plain_oauth": 55, "mtls,dpop,plain_oauth": 54, "mtls,mtls,plain_oauth": 45,
	}},
}

// variants returns the variants of a plan.
func (p *fapiPlan) variants() []variant {
	var all []variant
	for _, auth := range []string{"pkjwt", "mtls"} {
		for _, bind := range []string{"dpop", "mtls"} {
			for _, oauth := range []bool{false, true} {
				all = append(all, variant{auth: auth, bind: bind, oauth: oauth, signed: p.signed})
			}
			if p.machines {
				all = append(all, variant{auth: auth, bind: bind, machine: true})
			}
		}
	}
	return all
}

// names returns the modules of a variant, sorted, without their prefix.
func (v variant) names() []string {
	var names []string
	for name, m := range fapiModules {
		if m.has(v) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestFAPIConformance runs each module of the FAPI 2.0 plans over TLS, with the same requests and expectations as the suite, in each
// variant. A module has the result that docs/conformance.md says.
func TestFAPIConformance(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	for _, p := range fapiPlans {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newFAPIBed(t) // its clock is moved by modules, so they run one after another
			for _, v := range p.variants() {
				t.Run(v.String(), func(t *testing.T) {
					names := v.names()
					require.Len(t, names, p.counts[v.String()])
					for _, name := range names {
						t.Run(fapiPrefix+name, func(t *testing.T) {
							require.Equal(t, "PASS", fapiModules[name].run(b.run(t, v)))
						})
					}
				})
			}
		})
	}
}

// words describes the variants that have a module.
func (m fapiModule) words() string {
	var words []string
	for _, w := range []struct{ mark, text string }{{"D", "DPoP"}, {"J", "private_key_jwt"}, {"O", "openid_connect"}, {"S", "signed requests"}, {"C", "also client credentials"}} {
		if strings.Contains(m.marks, w.mark) {
			words = append(words, w.text)
		}
	}
	return strings.Join(words, ", ")
}

var fapiRow = regexp.MustCompile("(?m)^\\| `" + fapiPrefix + "([A-Za-z0-9_-]+)` \\| ([A-Z]+) \\| ([^|]*) \\|")

// TestFAPIConformanceDocument: the document has each module of the FAPI 2.0 plans with its variants, no other one, and the counts.
func TestFAPIConformanceDocument(t *testing.T) {
	t.Parallel()
	text := section(t, "fapi2-security-profile-final-test-plan") + section(t, "fapi2-message-signing-final-test-plan")
	documented := map[string]bool{}
	for _, row := range fapiRow.FindAllStringSubmatch(text, -1) {
		require.False(t, documented[row[1]], row[1])
		documented[row[1]] = true
		m, ok := fapiModules[row[1]]
		require.True(t, ok, row[1])
		require.Equal(t, []string{passed, m.words()}, row[2:], row[1])
	}
	require.Len(t, documented, len(fapiModules))
	for _, p := range fapiPlans {
		of, total := section(t, p.name), 0
		for _, v := range p.variants() {
			total += len(v.names())
			require.Contains(t, of, fmt.Sprintf("| `%s` | %d |", strings.ReplaceAll(v.String(), ",", "` `"), len(v.names())))
		}
		require.Contains(t, of, fmt.Sprintf("%d runs of modules: %d PASS, 0 REVIEW, 0 SKIPPED.", total, total))
	}
}

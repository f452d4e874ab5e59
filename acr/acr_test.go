package acr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"

	"github.com/portner-go/portner/internal/slow"
)

// The ranks of ID-porten, weakest first; levels in one row are equally strong.
var ladder = [][]string{
	{"selfregistered-email"},
	{"idporten-loa-low", "eidas-loa-low"},
	{"idporten-loa-substantial-limited"},
	{"idporten-loa-substantial", "eidas-loa-substantial"},
	{"idporten-loa-high", "eidas-loa-high"},
}

// Every level is compared with every level.
func TestOrder(t *testing.T) {
	t.Parallel()
	for i, achieved := range ladder {
		for j, requested := range ladder {
			for _, a := range achieved {
				for _, r := range requested {
					require.Equal(t, i >= j, acr.IDPorten.AtLeast(a, r), "%s for %s", a, r)
					offered := groupOf(a) == "" || groupOf(a) == groupOf(r)
					require.Equal(t, i >= j && offered, acr.IDPorten.Satisfies(a, []string{r}), "%s for %s", a, r)
				}
			}
		}
	}
}

// groupOf returns the group of logins that a request must name.
func groupOf(level string) string {
	switch {
	case strings.HasPrefix(level, "eidas-"):
		return "eidas"
	case level == acr.SelfRegisteredEmail:
		return "e-mail"
	}
	return ""
}

func TestSatisfies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		levels    *acr.Levels
		achieved  string
		requested []string
		want      bool
	}{
		{"the weakest requested value decides", acr.IDPorten, acr.Substantial, []string{acr.Substantial, acr.High}, true},
		{"in any order", acr.IDPorten, acr.Substantial, []string{acr.High, acr.Substantial}, true},
		{"only a stronger one requested", acr.IDPorten, acr.Substantial, []string{acr.High}, false},
		{"stronger than requested", acr.IDPorten, acr.High, []string{acr.Substantial}, true},
		{"e-mail among the requested values", acr.IDPorten, acr.SelfRegisteredEmail, []string{acr.SelfRegisteredEmail, acr.Substantial}, true},
		{"e-mail is weaker than low", acr.IDPorten, acr.SelfRegisteredEmail, []string{acr.Low}, false},
		{"no achieved level", acr.IDPorten, "", []string{acr.Substantial}, false},
		{"no requested level", acr.IDPorten, acr.High, nil, false},
		{"no level at all", acr.IDPorten, "", nil, false},
		{"only unknown requested", acr.IDPorten, acr.High, []string{"urn:x", ""}, false},
		{"misspelt", acr.IDPorten, acr.Low, []string{"idporten-loa-hihg"}, false},
		{"an unknown value does not lower the minimum", acr.IDPorten, acr.Substantial, []string{"urn:x", acr.High}, false},
		{"an unknown value does not raise the minimum", acr.IDPorten, acr.Substantial, []string{acr.Substantial, "urn:x"}, true},
		{"an unknown achieved level", acr.IDPorten, "idporten-loa-highest", []string{acr.Low}, false},
		{"an unknown level on both sides", acr.IDPorten, "urn:x", []string{"urn:x"}, false},
		{"upper case", acr.IDPorten, "IDPORTEN-LOA-HIGH", []string{acr.Low}, false},
		{"the suffix of a level", acr.IDPorten, "high", []string{acr.Low}, false},
		{"a level of the former platform", acr.IDPorten, "Level4", []string{acr.Low}, false},
		{"an old name, requested", acr.IDPortenWithOldNames, acr.Substantial, []string{acr.OldSubstantial}, true},
		{"an old name, too weak", acr.IDPortenWithOldNames, acr.Substantial, []string{acr.OldHigh}, false},
		{"an old name, achieved", acr.IDPortenWithOldNames, acr.OldHigh, []string{acr.High}, true},
		{"an old name is no higher level", acr.IDPortenWithOldNames, acr.OldSubstantial, []string{acr.High}, false},

		{"eIDAS, not requested", acr.IDPorten, acr.EIDASHigh, []string{acr.Substantial}, false},
		{"eIDAS, not requested in a list", acr.IDPorten, acr.EIDASSubstantial, []string{acr.Substantial, acr.Low, acr.SelfRegisteredEmail, "eidas-loa-none"}, false},
		{"eIDAS beside another level", acr.IDPorten, acr.EIDASSubstantial, []string{acr.Substantial, acr.EIDASSubstantial}, true},
		{"eIDAS, stronger than requested", acr.IDPorten, acr.EIDASHigh, []string{acr.EIDASLow}, true},
		{"eIDAS, weaker than requested", acr.IDPorten, acr.EIDASLow, []string{acr.EIDASSubstantial}, false},
		{"eIDAS, weaker than the eIDAS level beside a weak one", acr.IDPorten, acr.EIDASLow, []string{acr.Low, acr.EIDASHigh}, false},
		{"eIDAS, weaker than the eIDAS level beside an e-mail login", acr.IDPorten, acr.EIDASSubstantial, []string{acr.SelfRegisteredEmail, acr.EIDASHigh}, false},
		{"eIDAS only, another login", acr.IDPorten, acr.Substantial, []string{acr.EIDASSubstantial}, true},
		{"e-mail, not requested", acr.IDPorten, acr.SelfRegisteredEmail, []string{acr.EIDASLow}, false},

		{"Ansattporten", acr.Ansattporten, "high", []string{"substantial"}, true},
		{"Ansattporten, too weak", acr.Ansattporten, "low", []string{"substantial"}, false},
		{"Ansattporten, a level of ID-porten", acr.Ansattporten, acr.High, []string{"high"}, false},

		{"the zero value", &acr.Levels{}, acr.High, []string{acr.High}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.levels.Satisfies(tt.achieved, tt.requested))
			if len(tt.requested) == 1 {
				require.Equal(t, tt.want, tt.levels.AtLeast(tt.achieved, tt.requested[0]) && (groupOf(tt.achieved) == "" || groupOf(tt.achieved) == groupOf(tt.requested[0])))
			}
		})
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{acr.High, acr.Substantial},
		acr.IDPorten.Known([]string{"urn:x", acr.High, acr.Substantial, acr.High, "Level3", "", acr.Substantial}))
	require.Empty(t, acr.IDPorten.Known([]string{"Level4", "urn:x"}))
	require.Empty(t, acr.IDPorten.Known(nil))
	require.Empty(t, (&acr.Levels{}).Known([]string{acr.High}))
}

func TestValues(t *testing.T) {
	t.Parallel()
	want := slices.Concat(ladder...)
	values := acr.IDPorten.Values()
	require.Equal(t, want, values)
	values[0] = "changed"
	require.Equal(t, want, acr.IDPorten.Values(), "the caller has a copy")
	require.Equal(t, []string{"low", "substantial", "high"}, acr.Ansattporten.Values())
}

func TestNewReportsEveryBadLevel(t *testing.T) {
	t.Parallel()
	_, err := acr.New()
	require.EqualError(t, err, "acr: at least one level is required")
	l, err := acr.New(acr.Level{Value: "a", Rank: 1}, acr.Level{Value: "a", Rank: 2}, acr.Level{Rank: 1}, acr.Level{Value: "b"})
	require.EqualError(t, err, "acr: level 1: \"a\" is repeated\nacr: level 2: empty value")
	require.Nil(t, l)

	require.Panics(t, func() { acr.Must(acr.New()) })
	require.NotPanics(t, func() { acr.Must(acr.New(acr.Level{Value: "a"})) })
}

func TestAllocations(t *testing.T) {
	requested := []string{"urn:x", acr.High, acr.Substantial}
	require.Zero(t, slow.Allocations(t, 100, func() { acr.IDPorten.Satisfies(acr.Substantial, requested) }))
}

// Adding an unknown value to a request changes no decision. Adding a known value never makes a satisfied request unsatisfied. A
// stronger level satisfies every request that a weaker one satisfies. Unknown values satisfy no request and are not satisfied.
func FuzzSatisfies(f *testing.F) {
	f.Add(acr.Substantial, acr.High, "urn:x")
	f.Add(acr.EIDASHigh, "", "Level4")
	f.Fuzz(func(t *testing.T, achieved, requested, extra string) {
		l := acr.IDPorten
		known := func(v string) bool { return slices.Contains(l.Values(), v) }
		require.Equal(t, known(extra), l.AtLeast(extra, extra))
		before := l.Satisfies(achieved, []string{requested})
		after := l.Satisfies(achieved, []string{requested, extra})
		require.Equal(t, l.AtLeast(achieved, requested) && (groupOf(achieved) == "" || groupOf(achieved) == groupOf(requested)), before)
		require.False(t, before && !(known(achieved) && known(requested)))
		require.False(t, after && !known(achieved))
		require.False(t, before && !after)
		if !known(extra) {
			require.Equal(t, before, after)
		}
		if before {
			require.True(t, l.Satisfies(acr.High, []string{requested}))
		}
		for _, v := range l.Known([]string{achieved, requested, extra}) {
			require.True(t, known(v))
		}
	})
}

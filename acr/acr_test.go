package acr_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
)

// The ranks of ID-porten section 3.4, weakest first; equals in one row.
var ladder = [][]string{
	{"selfregistered-email"},
	{"idporten-loa-low", "eidas-loa-low"},
	{"idporten-loa-substantial-limited"},
	{"idporten-loa-substantial", "eidas-loa-substantial"},
	{"idporten-loa-high", "eidas-loa-high"},
}

// Each level against each: the whole order, both ways (security row G11, "lattice").
func TestOrder(t *testing.T) {
	t.Parallel()
	for i, achieved := range ladder {
		for j, requested := range ladder {
			for _, a := range achieved {
				for _, r := range requested {
					require.Equal(t, i >= j, acr.IDPorten.Satisfies(a, []string{r}), "%s for %s", a, r)
				}
			}
		}
	}
}

func TestSatisfies(t *testing.T) {
	t.Parallel()
	old := acr.IDPorten.WithAliases(acr.OldPlatform())
	tests := []struct {
		name      string
		levels    *acr.Levels
		achieved  string
		requested []string
		want      bool
		decision  acr.Decision
	}{
		{"rule 1: the lowest requested counts", acr.IDPorten, acr.Substantial, []string{acr.Substantial, acr.High}, true, acr.Sufficient},
		{"rule 1: in any order", acr.IDPorten, acr.Substantial, []string{acr.High, acr.Substantial}, true, acr.Sufficient},
		{"rule 1: high only", acr.IDPorten, acr.Substantial, []string{acr.High}, false, acr.StepUp},
		{"stronger than asked", acr.IDPorten, acr.High, []string{acr.Substantial}, true, acr.Sufficient},
		{"widened by e-mail (18.3)", acr.IDPorten, acr.SelfRegisteredEmail, []string{acr.SelfRegisteredEmail, acr.Substantial}, true, acr.Sufficient},
		{"e-mail is not low", acr.IDPorten, acr.SelfRegisteredEmail, []string{acr.Low}, false, acr.StepUp},
		{"no session", acr.IDPorten, "", []string{acr.Substantial}, false, acr.StepUp},
		{"nothing requested", acr.IDPorten, acr.Low, nil, true, acr.NoneRequested},
		{"nothing requested, no session", acr.IDPorten, "", nil, false, acr.NoneRequested},
		{"nothing requested, unknown achieved", acr.IDPorten, "idporten-loa-highest", nil, false, acr.NoneRequested},
		{"only unknown requested", acr.IDPorten, acr.Low, []string{"urn:x", ""}, true, acr.NoneRequested},
		{"rule 7: unknown does not lower", acr.IDPorten, acr.Substantial, []string{"urn:x", acr.High}, false, acr.StepUp},
		{"rule 7: unknown does not raise", acr.IDPorten, acr.Substantial, []string{acr.Substantial, "urn:x"}, true, acr.Sufficient},
		{"rule 7: unknown achieved", acr.IDPorten, "idporten-loa-highest", []string{acr.Low}, false, acr.StepUp},
		{"rule 7: achieved in another case", acr.IDPorten, "IDPORTEN-LOA-HIGH", []string{acr.Low}, false, acr.StepUp},
		{"rule 7: suffix is no level", acr.IDPorten, "high", []string{acr.Low}, false, acr.StepUp},

		{"aliases are off", acr.IDPorten, acr.Low, []string{"Level4"}, true, acr.NoneRequested},
		{"alias requested", old, acr.Substantial, []string{"Level4"}, false, acr.StepUp},
		{"alias satisfied", old, acr.Substantial, []string{"Level3"}, true, acr.Sufficient},
		{"alias achieved", old, "Level4", []string{acr.High}, true, acr.Sufficient},
		{"alias achieved is too weak", old, "Level3", []string{acr.High}, false, acr.StepUp},

		{"ansattporten", acr.Ansattporten, "high", []string{"substantial"}, true, acr.Sufficient},
		{"ansattporten too weak", acr.Ansattporten, "low", []string{"substantial"}, false, acr.StepUp},
		{"ansattporten knows no frameworks", acr.Ansattporten, acr.High, []string{"high"}, false, acr.StepUp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.levels.Satisfies(tt.achieved, tt.requested))
			require.Equal(t, tt.decision, tt.levels.Decide(tt.achieved, tt.requested))
		})
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	old := acr.IDPorten.WithAliases(acr.OldPlatform())
	national := acr.Choice{National: true}
	tests := []struct {
		name      string
		requested []string
		want      acr.Choice
	}{
		{"rule 4: nothing requested", nil, national},
		{"rule 4: unknown values", []string{"eidas-loa-huge", "email"}, national},
		{"national", []string{acr.Substantial, acr.High}, national},
		{"alias", []string{"Level4"}, national},
		{"rule 3: eIDAS added", []string{acr.Substantial, acr.EIDASSubstantial}, acr.Choice{National: true, EIDAS: true}},
		{"rule 3: straight to the country picker", []string{acr.EIDASSubstantial, acr.EIDASHigh}, acr.Choice{EIDAS: true}},
		{"rule 3: straight to e-mail", []string{acr.SelfRegisteredEmail}, acr.Choice{Email: true}},
		{"eIDAS or e-mail", []string{acr.SelfRegisteredEmail, acr.EIDASHigh}, acr.Choice{EIDAS: true, Email: true}},
		{"all three", []string{acr.SelfRegisteredEmail, acr.High, acr.EIDASHigh}, acr.Choice{National: true, EIDAS: true, Email: true}},
		{"unknown beside eIDAS adds nothing", []string{"urn:x", acr.EIDASLow}, acr.Choice{EIDAS: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, old.Choice(tt.requested))
		})
	}
	require.Equal(t, national, acr.Ansattporten.Choice([]string{"high"}))
	require.Equal(t, national, acr.Ansattporten.Choice([]string{acr.EIDASHigh}), "not a level of Ansattporten")
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	old := acr.IDPorten.WithAliases(acr.OldPlatform())
	require.Equal(t, []string{acr.High, acr.Substantial},
		old.Normalize([]string{"urn:x", "Level4", acr.Substantial, acr.High, "Level3", "", acr.Substantial}))
	require.Empty(t, acr.IDPorten.Normalize([]string{"Level4", "urn:x"}))
}

func TestSameLevel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{acr.High, acr.EIDASHigh, true},
		{acr.High, "high", true},
		{acr.EIDASSubstantial, "substantial", true},
		{acr.Substantial, acr.High, false},
		{acr.Substantial, acr.SubstantialLimited, false},
		{acr.SelfRegisteredEmail, acr.Low, false},
		{"", "", false},
		{"idporten-", "eidas-", false},
		{acr.High, "idporten-loa-HIGH", false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, acr.SameLevel(tt.a, tt.b), "%q %q", tt.a, tt.b)
		require.Equal(t, tt.want, acr.SameLevel(tt.b, tt.a), "%q %q", tt.b, tt.a)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	want := slices.Concat(ladder...)
	values := acr.IDPorten.Values()
	require.Equal(t, want, values)
	values[0] = "changed"
	require.Equal(t, want, acr.IDPorten.Values(), "the caller has a copy")
	require.Equal(t, want, acr.IDPorten.WithAliases(acr.OldPlatform()).Values(), "without aliases")
	require.Equal(t, []string{"low", "substantial", "high"}, acr.Ansattporten.Values())

	require.False(t, acr.IDPorten.Known("Level3"), "WithAliases made a copy")
	require.False(t, acr.IDPorten.Known(""))
	require.True(t, acr.IDPorten.Known(acr.EIDASLow))
}

func TestMistakesPanic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"repeated level":      func() { acr.New(acr.Level{Value: "a", Rank: 1}, acr.Level{Value: "a", Rank: 2}) },
		"empty level":         func() { acr.New(acr.Level{Rank: 1}) },
		"alias of nothing":    func() { acr.IDPorten.WithAliases(map[string]string{"Level5": "idporten-loa-max"}) },
		"alias hides a level": func() { acr.IDPorten.WithAliases(map[string]string{acr.Low: acr.High}) },
	} {
		require.Panics(t, f, name)
	}
}

func TestAllocations(t *testing.T) {
	requested := []string{"urn:x", acr.High, acr.Substantial}
	require.Zero(t, testing.AllocsPerRun(100, func() { acr.IDPorten.Satisfies(acr.Substantial, requested) }))
}

// Whatever is asked for: adding a value nobody knows changes nothing, adding a known one never takes
// a satisfied request away, and a stronger login does all a weaker one does.
func FuzzSatisfies(f *testing.F) {
	f.Add(acr.Substantial, acr.High, "urn:x")
	f.Add(acr.EIDASHigh, "", "Level4")
	f.Fuzz(func(t *testing.T, achieved, requested, extra string) {
		l := acr.IDPorten
		before := l.Satisfies(achieved, []string{requested})
		after := l.Satisfies(achieved, []string{requested, extra})
		switch {
		case !l.Known(achieved):
			require.False(t, before || after)
		case !l.Known(extra):
			require.Equal(t, before, after)
		case l.Known(requested) && before:
			require.True(t, after)
		}
		if before {
			require.True(t, l.Satisfies(acr.High, []string{requested}))
		}
		for _, v := range l.Normalize([]string{achieved, requested, extra}) {
			require.Contains(t, l.Values(), v)
		}
		require.Equal(t, acr.SameLevel(requested, extra), acr.SameLevel(extra, requested))
	})
}

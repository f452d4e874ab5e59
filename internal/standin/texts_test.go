package standin

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
)

// TestTexts checks that every language has every text, and a name for every level and method.
func TestTexts(t *testing.T) {
	t.Parallel()
	require.Len(t, allTexts, len(Languages))
	for _, lang := range Languages {
		texts := TextsFor(lang)
		require.Equal(t, lang, texts.Lang)
		v := reflect.ValueOf(texts)
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s: %s", lang, v.Type().Field(i).Name)
		}
		for _, levels := range []*acr.Levels{acr.IDPorten, acr.Ansattporten} {
			for _, level := range levels.Values() {
				require.NotEmpty(t, texts.Names.levels[level], "%s: %s", lang, level)
			}
		}
		require.Equal(t, slices.Sorted(maps.Keys(namesNB.methods)), slices.Sorted(maps.Keys(texts.Names.methods)), lang)
		require.Equal(t, "BankID", texts.Names.Methods("BankID"), "a product has one name")
	}
	require.Equal(t, "nb", TextsFor("tlh").Lang)
	require.Equal(t, "høyt", namesNB.Level("high"))
	require.Equal(t, "substantial", namesEN.Level("idporten-loa-substantial"))
	require.Equal(t, "MinID (eingongskode), BankID", namesNN.Methods("Minid-OTC", "BankID"))
	require.Equal(t, "betydelig", namesNB.lowest([]string{"unknown", "idporten-loa-high", "idporten-loa-substantial"}))
}

// TestInstant checks that times name their zone, in summer and winter.
func TestInstant(t *testing.T) {
	t.Parallel()
	winter, summer := time.Date(2026, 11, 29, 23, 5, 0, 0, time.UTC), time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	require.Equal(t, Instant{"30. november 2026 kl. 00.05, norsk tid", "2026-11-30T00:05:00+01:00"}, namesNB.Instant(winter))
	require.Equal(t, Instant{"1. juli 2026 kl. 14.00, norsk tid", "2026-07-01T14:00:00+02:00"}, namesNN.Instant(summer))
	require.Equal(t, "1 July 2026 at 14:00, Norwegian time", namesEN.Instant(summer).Text)
	require.Equal(t, "suoidnemánu 1. b. 2026 dii. 14.00, Norgga áigi", namesSE.Instant(summer).Text)
}

package idporten

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
)

// TestTexts checks that every language has every text.
func TestTexts(t *testing.T) {
	t.Parallel()
	require.Len(t, allTexts, len(standin.Languages))
	for _, lang := range standin.Languages {
		words := reflect.ValueOf(TextsFor(lang))
		for i := range words.NumField() {
			require.False(t, words.Field(i).IsZero(), "%s: %s", lang, words.Type().Field(i).Name)
		}
		require.Equal(t, lang, TextsFor(lang).Lang)
		for _, name := range []string{"openid", "profile", "email", "address", "phone", "offline_access"} {
			require.NotEmpty(t, TextsFor(lang).Standard[name], lang)
		}
	}
	require.Equal(t, "nb", TextsFor("tlh").Lang)
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Hour: "1 time", 2 * time.Hour: "2 timer", 90 * time.Minute: "1 time 30 minutter", time.Minute: "1 minutt",
		30 * time.Second: "1 minutt", 61 * time.Second: "2 minutter", 25*time.Hour + time.Minute: "25 timer 1 minutt",
	} {
		require.Equal(t, want, TextsFor("nb").duration(d))
	}
}

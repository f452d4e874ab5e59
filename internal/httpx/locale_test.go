package httpx

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLocale: the choice of the user takes precedence over ui_locales, these over Accept-Language, and all over the default. Each of
// them is matched in the same way.
func TestLocale(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ cookie, uiLocales, accept, want string }{
		"default":                       {"", "", "", "nb"},
		"choice":                        {"se", "en", "nn", "se"},
		"ui_locales":                    {"", "en", "nn", "en"},
		"accept":                        {"", "", "nn", "nn"},
		"choice of no language":         {"xx", "en", "nn", "en"},
		"ui_locales of no language":     {"", "fr de", "nn", "nn"},
		"accept of no language":         {"", "", "fr, de;q=0.9", "nb"},
		"list of ui_locales":            {"", "fr nn en", "", "nn"},
		"list of accept":                {"", "", "fr, nn, en", "nn"},
		"by weight":                     {"", "", "en;q=0.5, nn;q=0.8, se;q=0.799", "nn"},
		"first of one weight":           {"", "", "en;q=0.8, nn;q=0.8", "en"},
		"no weight is 1":                {"", "", "en;q=0.9, nn", "nn"},
		"excluded":                      {"", "", "en;q=0, fr", "nb"},
		"a browser of a Norwegian":      {"", "", "nb-NO,nb;q=0.9,no;q=0.8,nn;q=0.7,en-US;q=0.6,en;q=0.5", "nb"},
		"a browser with no":             {"", "", "no,en;q=0.5", "nb"},
		"a browser of an American":      {"", "", "en-US,en;q=0.5", "en"},
		"wildcard":                      {"", "", "*", "nb"},
		"wildcard with a weight":        {"", "", "*;q=0.1, nn;q=0.05", "nn"},
		"spaces":                        {"", "", " nn ; q=0.9 ,en;q=0.8", "nn"},
		"region of a choice":            {"nn-NO", "", "", "nn"},
		"region of ui_locales":          {"", "nb-NO", "en", "nb"},
		"no as a choice":                {"no", "en", "", "nb"},
		"no-NO in ui_locales":           {"", "no-NO", "en", "nb"},
		"other case":                    {"", "", "EN-gb", "en"},
		"script":                        {"", "nn-Latn-NO", "", "nn"},
		"malformed weight":              {"", "", "en;q=1.001, se;q=x, nn;q=0.1", "nn"},
		"malformed fraction":            {"", "", "en;q=0.1234, se;q=0.a, nn;q=0.1", "nn"},
		"another parameter":             {"", "", "en;level=1, nn;q=0.1", "nn"},
		"long tag":                      {strings.Repeat("n", 100), strings.Repeat("x", 5000), strings.Repeat("y", 5000), "nb"},
		"more ranges than are compared": {"", "", strings.Repeat("fr,", 32) + "en", "nb"},
		"hostile":                       {"../../etc/passwd", "<script>", "'; --", "nb"},
	} {
		h := http.Header{}
		if tc.cookie != "" {
			h.Set("Cookie", "a=b; "+LanguageCookie+"="+tc.cookie)
		}
		if tc.accept != "" {
			h.Set("Accept-Language", tc.accept)
		}
		require.Equal(t, tc.want, Locale(h, tc.uiLocales, DefaultLocales(), true), name)
		if tc.accept != "" && tc.uiLocales == "" && tc.cookie == "" {
			require.Equal(t, "nb", Locale(h, "", DefaultLocales(), false), "%s: Accept-Language is not used", name)
		}
	}
}

// TestLocaleLines: Accept-Language may be sent in several lines. Two cookies choose no language.
func TestLocaleLines(t *testing.T) {
	t.Parallel()
	h := http.Header{"Accept-Language": {"fr", "nn;q=0.1, en;q=0.2"}, "Cookie": {LanguageCookie + "=se; " + LanguageCookie + "=nn"}}
	require.Equal(t, "en", Locale(h, "", DefaultLocales(), true))
}

// TestNorwegianTags: no and nb stand for one another, whichever of them is supported.
func TestNorwegianTags(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"no", "nb", "no-NO", "nb-NO", "NO"} {
		require.Equal(t, "no", Locale(nil, tag, []string{"en", "no"}, false), tag)
		require.Equal(t, "nb", Locale(nil, tag, []string{"en", "nb"}, false), tag)
	}
	require.Equal(t, "nb", Locale(nil, "nb", []string{"no", "nb"}, false), "the tag itself comes first")
}

func FuzzLocale(f *testing.F) {
	f.Add("se", "en nn", "nb;q=0.5, *")
	f.Fuzz(func(t *testing.T, cookie, uiLocales, accept string) {
		h := http.Header{"Cookie": {LanguageCookie + "=" + cookie}, "Accept-Language": {accept}}
		require.Contains(t, DefaultLocales(), Locale(h, uiLocales, DefaultLocales(), true))
	})
}

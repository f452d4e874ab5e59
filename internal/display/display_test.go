package display_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/display"
)

const limit = 200

// accepted are names as organisations and services have them.
var accepted = []string{
	"NAV", "Skatteetaten", "Ä", "Ö", "Đ", "Ŋ", "Ŧ", "Ähtäri Öljy", "Deanu gielda – Tana kommune", "Sámi ŋuolga Đávvir Ŧ", "Guovdageaidnu ČčŠšŽžÁá",
	"Saaʹmi sijdd ǩǧǯʒõ", "Blåbærsyltetøy & Sønner AS", "Å", "1881", "1. april-klubben", "e-Boks", "O’Hara's (test)", "Kjøp 50 % rabatt!", "5 µm",
	"½ liter", "Straße", "Nguyễn Văn Đạt", "Łódź", "İstanbul", "Ελληνικά", "Московский метрополитен", "العربية", "الْعَرَبِيَّة", "עברית", "हिन्दी सेवा", "ไทยบริการ",
	"東京タワー", "東京とうきょう", "한국어", "中文", "ქართული", "Հայերեն", "Tjeneste 東京", "NAV 🎉", "Ola Nordmann/Москва", "١٢٣ العربية", "கணினி",
}

// rejected are names that a user cannot read, or takes for others.
var rejected = map[string][]string{
	"blank": {"", " ", "   ", "\u00a0", "\u3000", "\u2003", "\u1680", "\u2800", "\U0001d159", "...", "—", "🎉"},
	"control and bidirectional": {
		"a\x00b", "a\tb", "a\nb", "a\rb", "a\u0085b", "a\u2028b", "a\u2029b", "Skatteetaten\u202e", "\u2066NAV\u2069", "NAV\u061c", "NAV\u200e", "NAV\u200f",
	},
	"invisible": {
		"NA\u200bV", "NA\u200cV", "NA\u200dV", "NAV\u00ad", "NA\u2060V", "NA\ufeffV", "NA\u034fV", "NAV\u115f", "NAV\u1160", "NAV\u3164", "NAV\uffa0",
		"NA\u180eV", "NA\u17b4V", "NA\ufe0fV", "NAV\U000e0041", "NAV\U000e0100", "\u3164", "NA\u2800V", "NA\U0001d159V",
	},
	"not a character": {"\xff", "NAV\ue000", "NAV\ufffe", "NAV\U000effff", "NAV\u0378"},
	"odd spaces":      {"NAV\u00a0Logg", "NAV\u202fLogg", "NAV\u3000Logg"},
	"mixed scripts": {
		"Skаtteetaten", "РayPal", "NΑV", "NАV", "Ban\u212aID", "Vippѕ", "ІD-porten", "Altіnn", "Helsenοrge", "Ꭰigdir", "Ѕkatt 2026", "한日а", "東京a", "العربيةa", "𝐍𝐀𝐕", "𝖭AV", "ℕAV",
		"NAV١", "1١", "𝟏NAV", "ひ한", "\u0648\u05a9", "\u05d0\u0bbe", "\u0915\u09be",
	},
	"marks": {
		"N\u0300AV", "NAV\u0336", "A\u030a", "o\u0308", "ж\u0301", "\u0301NAV", "NAV \u0301", "1\u0301", "العربيّ\u0651\u0652\u064e\u064f", "N\u20dd", "1\ufe0f\u20e3", "—\u0301",
		"Z\u0351\u0363\u0366", "\u212bngstrøm", "\u2126", "\u1100\u1161", "\U0002f800",
	},
}

func TestAcceptedNames(t *testing.T) {
	t.Parallel()
	for _, name := range accepted {
		require.Empty(t, display.Problem(name, limit, false), "%+q", name)
	}
	for _, name := range []string{strings.Repeat("ø", limit), "første avsnitt"} {
		require.Empty(t, display.Problem(name, limit, false))
	}
	require.Empty(t, display.Problem("Et avsnitt.\n\nEt til.", limit, true))
}

func TestRejectedNames(t *testing.T) {
	t.Parallel()
	for why, names := range rejected {
		for _, name := range names {
			require.NotEmpty(t, display.Problem(name, limit, false), "%s: %+q", why, name)
		}
	}
	require.Equal(t, "must be at most 200 characters", display.Problem(strings.Repeat("ø", limit+1), limit, false))
	require.NotEmpty(t, display.Problem("a\rb", limit, true))
	require.NotEmpty(t, display.Problem("\n\n", limit, true))
}

// TestEveryCharacter: a character that is ignorable by default, a control, a space other than U+0020, unassigned or private is accepted
// in no name.
func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	never := []*unicode.RangeTable{unicode.C, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Bidi_Control, unicode.Noncharacter_Code_Point}
	assigned := []*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S}
	for r := rune(0); r < 0xe0200; r++ {
		if r == 0x20000 {
			r = 0xe0000 // between are ideographs and unassigned planes
		}
		if !utf8.ValidRune(r) || r == ' ' || unicode.In(r, assigned...) && !unicode.In(r, never...) {
			continue
		}
		if display.Problem("Navn"+string(r), limit, r != '\n') == "" {
			t.Errorf("%U is accepted", r)
		}
	}
}

// TestNorwegianLetters: every letter of the languages of the pages is accepted, alone and in a word.
func TestNorwegianLetters(t *testing.T) {
	t.Parallel()
	for _, r := range "abcdefghijklmnopqrstuvwxyzæøåéèêóòôàäöüáâčđŋšŧžïǥǧǩʒǯõñßłçëî" {
		for _, letter := range []string{string(r), strings.ToUpper(string(r))} {
			require.Empty(t, display.Problem(letter, limit, false), "%+q", letter)
			require.Empty(t, display.Problem("a"+letter+"b 1", limit, false), "%+q", letter)
		}
	}
}

// requireReadable requires the properties of every accepted text.
func requireReadable(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.LessOrEqual(t, utf8.RuneCountInString(text), limit)
	require.True(t, strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }))
	marks := 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) }) {
		used := map[string]bool{}
		for _, r := range word {
			for _, name := range []string{"Latin", "Greek", "Cyrillic", "Armenian", "Cherokee", "Arabic", "Hebrew", "Han"} {
				used[name] = used[name] || unicode.Is(unicode.Scripts[name], r)
			}
			if marks++; !unicode.IsMark(r) {
				marks = 0
			}
			require.LessOrEqual(t, marks, 4)
		}
		scripts := 0
		for _, is := range used {
			if is {
				scripts++
			}
		}
		require.LessOrEqual(t, scripts, 1, "%+q", word)
	}
	for _, r := range text {
		require.True(t, unicode.IsPrint(r), "%+q", r)
	}
	// Accepted texts stay accepted side by side, and a part that is invisible is never added.
	require.NotEmpty(t, display.Problem(text+"\u200b", limit+1, false))
	require.NotEmpty(t, display.Problem(text+"\u202e", limit+1, false))
}

// TestRandomTexts: random texts of confusable and hidden characters are accepted only if they have the properties above.
func TestRandomTexts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("aeoNAVæøåđŋŧаеоАЕΑΕ東ひカ한ᎠաעعЖ019١٢ -'’.\u0301\u0308\u0651\u064e\u200b\u00a0\u2800\u3164µʹ🎉𝐍①")
	ok := 0
	for range 50000 {
		var b strings.Builder
		for range 1 + rng.IntN(6) {
			b.WriteRune(alphabet[rng.IntN(len(alphabet))])
		}
		if display.Problem(b.String(), limit, false) == "" {
			requireReadable(t, b.String())
			ok++
		}
	}
	require.Greater(t, ok, 1000)
}

func FuzzProblem(f *testing.F) {
	for _, name := range accepted {
		f.Add(name)
	}
	for _, names := range rejected {
		for _, name := range names {
			f.Add(name)
		}
	}
	for _, name := range []string{
		"", " ", "a", " a", "a ", "a  b", "a\u00a0b", "a\tb", "a\nb", "\xff", "a\xc0\xaf", "\u202eabc", "a\u200bb", "a\u0301", "\u0301a", "e\u0301\u0301\u0301\u0301", "\U0001f600", "\U0001f468\u200d\U0001f469", "\ufeffa",
		"аpple", "Bank\u2028AS", "<script>", "&amp;", "A/S", "ƏŊđŧ", "Ελληνικά", "日本語", "\u0000", "\u007f", "\ue000", strings.Repeat("a", limit), strings.Repeat("æ", limit), strings.Repeat("a", limit+1),
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if display.Problem(text, limit, false) == "" {
			requireReadable(t, text)
			require.Empty(t, display.Problem(text, limit, true))
		}
	})
}

func BenchmarkProblem(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = display.Problem("Blåbærsyltetøy & Sønner AS", limit, false)
	}
}

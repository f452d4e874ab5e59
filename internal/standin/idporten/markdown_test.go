package idporten

import (
	"html/template"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var markdownPage = template.Must(template.New("").ParseFS(web, "web/markdown.html"))

// rendered returns the HTML of a long description.
func rendered(t *testing.T, in string) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, markdownPage.ExecuteTemplate(&b, "markdown", markdown(in)))
	return strings.TrimSpace(b.String())
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                           "",
		" \n ":                       "",
		"Ett *to* **tre** & fire":    "<p>Ett <em>to</em> <strong>tre</strong> &amp; fire</p>",
		"a\n\nb\nc":                  "<p>a</p><p>b\nc</p>",
		"[her](https://a.no/?b&c=d)": `<p><a href="https://a.no/?b&amp;c=d" rel="noopener noreferrer" target="_blank">her</a></p>`,
		"[x](javascript:alert(1))":   "<p>[x](javascript:alert(1))</p>",
		`[x](https://a"onclick=y)`:   "<p>[x](https://a&#34;onclick=y)</p>",
		"[x](https://a/*b*)":         "<p>[x](https://a/<em>b</em>)</p>",
		"**a [b](https://c) d**":     `<p><strong>a [b](https://c) d</strong></p>`,
		"<b>":                        "<p>&lt;b&gt;</p>",
		"** a * b":                   "<p>** a * b</p>",
	} {
		require.Equal(t, want, rendered(t, in), in)
	}
}

// FuzzMarkdown checks that the HTML contains only the tags of the template, and that each is closed.
func FuzzMarkdown(f *testing.F) {
	f.Add("**a** [b](https://c) <script>*x*")
	f.Add("*a **b* c**")
	f.Fuzz(func(t *testing.T, in string) {
		out := rendered(t, in)
		for _, tag := range []string{"p", "strong", "em"} {
			require.Equal(t, strings.Count(out, "<"+tag+">"), strings.Count(out, "</"+tag+">"))
			out = strings.ReplaceAll(strings.ReplaceAll(out, "<"+tag+">", ""), "</"+tag+">", "")
		}
		for {
			_, rest, ok := strings.Cut(out, `<a href="https://`)
			if !ok {
				break
			}
			_, out, ok = strings.Cut(rest, `" rel="noopener noreferrer" target="_blank">`)
			require.True(t, ok)
			out = strings.Replace(out, "</a>", "", 1)
		}
		require.NotContains(t, out, "<")
	})
}

package main

import (
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// TestMineByService lists one entry for each service, with names for people, and ends everything of a service at once.
func TestMineByService(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := tour(t, s)
	in := v.press(v.press(v.press(v.get(s.At.First), "story-deling"), "user-kari"), "consent-approve", "demo:inntekt.read")
	require.NotNil(t, in.id("logged-in"))
	require.NotNil(t, v.press(in, "story-login").id("logged-in"))
	require.NotNil(t, v.press(v.get(s.At.Second), "story-login").id("logged-in"))

	mine := v.get(s.Issuer + idporten.PathMine)
	cards := elements(mine, "section")
	require.Len(t, cards, 2, mine.body)
	require.Contains(t, cards[0], "Annen tjeneste")
	require.Contains(t, cards[1], "Min tjeneste")
	require.Contains(t, cards[1], "Se inntekten din")
	require.Equal(t, 1, strings.Count(cards[1], "Se hvem du er når du logger inn"), cards[1])
	require.Contains(t, cards[1], ", norsk tid")
	require.NotContains(t, mine.body, ">openid<")
	require.Contains(t, mine.text("history"), "du var allerede logget inn")

	form := parent(button(mine, "Avslutt tilgangen: Min tjeneste"), "form")
	ended := v.post(mine, form, fields(form))
	require.NotNil(t, ended.id("mine-ended"))
	require.Len(t, elements(ended, "section"), 1)
	again := v.post(mine, form, fields(form))
	require.Equal(t, 404, again.status)
}

// elements returns the texts of the elements with a name.
func elements(p *page, name string) (texts []string) {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			texts = append(texts, textOf(n))
		}
	}
	return texts
}

// button returns the button with an aria-label.
func button(p *page, label string) *html.Node {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "button" && attr(n, "aria-label") == label {
			return n
		}
	}
	return nil
}

func parent(n *html.Node, name string) *html.Node {
	for n.Data != name {
		n = n.Parent
	}
	return n
}

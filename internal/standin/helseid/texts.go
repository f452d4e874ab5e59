package helseid

import "github.com/portner-go/portner/internal/standin"

// Texts holds the texts of the pages in one language.
type Texts struct {
	standin.Texts

	SiteName, HomeTitle, HomeText, HomeDemo string
}

// TextsFor returns the texts of a language, or those of bokmål if it is unknown.
func TextsFor(lang string) Texts {
	common := standin.TextsFor(lang)
	t := AllTexts[common.Lang]
	t.Texts = common
	return t
}

// AllTexts holds the texts by language.
var AllTexts = map[string]Texts{
	"nb": {
		SiteName: "Portner for helsesektoren", HomeTitle: "Lokal HelseID", HomeDemo: "Se hva en klient gjør, steg for steg",
		HomeText: "Dette er en HelseID for utvikling og test, bygd av portner. Start fra en tjeneste.",
	},
	"nn": {
		SiteName: "Portner for helsesektoren", HomeTitle: "Lokal HelseID", HomeDemo: "Sjå kva ein klient gjer, steg for steg",
		HomeText: "Dette er ein HelseID for utvikling og test, bygd av portner. Start frå ei teneste.",
	},
	"en": {
		SiteName: "Portner for the health sector", HomeTitle: "Local HelseID", HomeDemo: "See what a client does, step by step",
		HomeText: "This is a HelseID for development and test, built with portner. Start from a service.",
	},
	"se": {
		SiteName: "Portner dearvvašvuođasuorgái", HomeTitle: "Báikkálaš HelseID", HomeDemo: "Geahča maid klienta dahká, lávki lávkái",
		HomeText: "Dát lea HelseID ovddideapmái ja geahččaleapmái, huksejuvvon portneriin. Álgge bálvalusas.",
	},
}

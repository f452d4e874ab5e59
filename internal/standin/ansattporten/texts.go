package ansattporten

import "github.com/portner-go/portner/internal/standin"

// Texts holds the texts of the pages in one language.
type Texts struct {
	standin.Texts

	SiteName string

	RepTitle, RepIntro       string // the intro follows the client's name
	RepOne, RepMany          string
	RepSelf                  string
	RepFor, ShowRequest      string
	RepNobody, RepNobodyHint string
	RepManyHint, RepMustSay  string
	RepContinue              string
	NoMandate                string
	HomeTitle, HomeText      string
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
		SiteName: "Portner for ansatte",
		RepTitle: "Hvem representerer du?", RepIntro: "spør hvem du handler for.", RepOne: "Velg én", RepMany: "Velg én eller flere",
		RepFor: "Valget gjelder", ShowRequest: "Vis forespørselen", RepSelf: "Meg selv", RepNobody: "Ingen", RepNobodyHint: "Du logger inn uten å representere noen.",
		RepManyHint: "Velger du ingen, logger du inn uten å representere noen.", RepMustSay: "Du må velge hvem du representerer.",
		RepContinue: "Fortsett",
		NoMandate:   "Ingen har gitt deg fullmakt til dette.",
		HomeTitle:   "Lokal Ansattporten", HomeText: "Dette er en Ansattporten for utvikling og test, bygd av portner. Start fra en tjeneste.",
	},
	"nn": {
		SiteName: "Portner for tilsette",
		RepTitle: "Kven representerer du?", RepIntro: "spør kven du handlar for.", RepOne: "Vel éin", RepMany: "Vel éin eller fleire",
		RepFor: "Valet gjeld", ShowRequest: "Vis førespurnaden", RepSelf: "Meg sjølv", RepNobody: "Ingen", RepNobodyHint: "Du loggar inn utan å representere nokon.",
		RepManyHint: "Vel du ingen, loggar du inn utan å representere nokon.", RepMustSay: "Du må velje kven du representerer.",
		RepContinue: "Hald fram",
		NoMandate:   "Ingen har gjeve deg fullmakt til dette.",
		HomeTitle:   "Lokal Ansattporten", HomeText: "Dette er ein Ansattporten for utvikling og test, bygd av portner. Start frå ei teneste.",
	},
	"en": {
		SiteName: "Portner for employees",
		RepTitle: "Whom do you represent?", RepIntro: "asks whom you act for.", RepOne: "Choose one", RepMany: "Choose one or more",
		RepFor: "The choice is for", ShowRequest: "Show the request", RepSelf: "Myself", RepNobody: "Nobody", RepNobodyHint: "You log in without representing anybody.",
		RepManyHint: "If you choose nobody, you log in without representing anybody.", RepMustSay: "You must choose whom you represent.",
		RepContinue: "Continue",
		NoMandate:   "Nobody has authorized you to do this.",
		HomeTitle:   "Local Ansattporten", HomeText: "This is an Ansattporten for development and test, built with portner. Start from a service.",
	},
	"se": {
		SiteName: "Portner bargiide",
		RepTitle: "Gean don ovddastat?", RepIntro: "jearrá gean ovddas don doaimmat.", RepOne: "Vállje ovtta", RepMany: "Vállje ovtta dahje máŋga",
		RepFor: "Válljen guoská", ShowRequest: "Čájet jearaldaga", RepSelf: "Iežan", RepNobody: "In ovttage", RepNobodyHint: "Don logget sisa almmá ovddaskeahttá geange.",
		RepManyHint: "Jus it vállje ovttage, de logget sisa almmá ovddaskeahttá geange.", RepMustSay: "Don fertet válljet gean don ovddastat.",
		RepContinue: "Joatkke",
		NoMandate:   "Ii oktage leat addán dutnje fápmudusa dása.",
		HomeTitle:   "Báikkálaš Ansattporten", HomeText: "Dát lea Ansattporten ovddideapmái ja geahččaleapmái, huksejuvvon portneriin. Álgge bálvalusas.",
	},
}

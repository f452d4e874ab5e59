package main

// texts holds the texts of the pages in one language.
type texts struct {
	Lang, LangName                 string
	SiteName, SkipToMain, Language string

	LoginTitle, LoginFor, Username, Password, LogIn, Cancel, WrongPassword, TestUsers, TestUsersHint string

	RepTitle, RepIntro        string // the intro follows the client's name
	RepOne, RepMany           string
	RepSelf                   string
	RepFor, ShowRequest       string
	RepNobody, RepNobodyHint  string
	RepManyHint, RepMustSay   string
	RepContinue, Orgno        string
	ErrorTitle, ErrorIntro    string
	NoMandate, Unavailable    string
	ErrorCode, ErrorReference string
	ErrorAdvice               string
	HomeTitle, HomeText       string
}

// languages lists the languages of Ansattporten, the default first.
var languages = []string{"nb", "nn", "en", "se"}

// textsFor returns the texts of a language, or those of bokmål if it is unknown.
func textsFor(lang string) texts {
	if t, ok := allTexts[lang]; ok {
		return t
	}
	return allTexts[languages[0]]
}

var allTexts = map[string]texts{
	"nb": {
		Lang: "nb", LangName: "Bokmål", SiteName: "Portner for ansatte", SkipToMain: "Hopp til innholdet", Language: "Språk",
		LoginTitle: "Logg inn", LoginFor: "Du logger inn til", Username: "Brukernavn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukernavn eller passord.", TestUsers: "Testbrukere", TestUsersHint: "Ett klikk logger inn. Alle fødselsnummer er syntetiske.",
		RepTitle: "Hvem representerer du?", RepIntro: "spør hvem du handler for.", RepOne: "Velg én", RepMany: "Velg én eller flere",
		RepFor: "Valget gjelder", ShowRequest: "Vis forespørselen", RepSelf: "Meg selv", RepNobody: "Ingen", RepNobodyHint: "Du logger inn uten å representere noen.",
		RepManyHint: "Velger du ingen, logger du inn uten å representere noen.", RepMustSay: "Du må velge hvem du representerer.",
		RepContinue: "Fortsett", Orgno: "Org.nr.",
		ErrorTitle: "Noe gikk galt", ErrorIntro: "Innloggingen kan ikke fortsette.", NoMandate: "Ingen har gitt deg fullmakt til dette.",
		Unavailable: "Tjenesten er midlertidig utilgjengelig. Prøv igjen om litt.", ErrorCode: "Feilkode", ErrorReference: "Referanse",
		ErrorAdvice: "Gå tilbake til tjenesten og prøv igjen. Oppgi referansen hvis du kontakter brukerstøtte.",
		HomeTitle:   "Lokal Ansattporten", HomeText: "Dette er en Ansattporten for utvikling og test, bygd av portner. Start fra en tjeneste.",
	},
	"nn": {
		Lang: "nn", LangName: "Nynorsk", SiteName: "Portner for tilsette", SkipToMain: "Hopp til innhaldet", Language: "Språk",
		LoginTitle: "Logg inn", LoginFor: "Du loggar inn til", Username: "Brukarnamn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukarnamn eller passord.", TestUsers: "Testbrukarar", TestUsersHint: "Eitt klikk loggar inn. Alle fødselsnummer er syntetiske.",
		RepTitle: "Kven representerer du?", RepIntro: "spør kven du handlar for.", RepOne: "Vel éin", RepMany: "Vel éin eller fleire",
		RepFor: "Valet gjeld", ShowRequest: "Vis førespurnaden", RepSelf: "Meg sjølv", RepNobody: "Ingen", RepNobodyHint: "Du loggar inn utan å representere nokon.",
		RepManyHint: "Vel du ingen, loggar du inn utan å representere nokon.", RepMustSay: "Du må velje kven du representerer.",
		RepContinue: "Hald fram", Orgno: "Org.nr.",
		ErrorTitle: "Noko gjekk gale", ErrorIntro: "Innlogginga kan ikkje halde fram.", NoMandate: "Ingen har gjeve deg fullmakt til dette.",
		Unavailable: "Tenesta er mellombels utilgjengeleg. Prøv igjen om litt.", ErrorCode: "Feilkode", ErrorReference: "Referanse",
		ErrorAdvice: "Gå tilbake til tenesta og prøv igjen. Oppgje referansen om du kontaktar brukarstøtte.",
		HomeTitle:   "Lokal Ansattporten", HomeText: "Dette er ein Ansattporten for utvikling og test, bygd av portner. Start frå ei teneste.",
	},
	"en": {
		Lang: "en", LangName: "English", SiteName: "Portner for employees", SkipToMain: "Skip to content", Language: "Language",
		LoginTitle: "Log in", LoginFor: "You are logging in to", Username: "Username", Password: "Password", LogIn: "Log in", Cancel: "Cancel",
		WrongPassword: "Wrong username or password.", TestUsers: "Test users", TestUsersHint: "One click logs in. All identity numbers are synthetic.",
		RepTitle: "Whom do you represent?", RepIntro: "asks whom you act for.", RepOne: "Choose one", RepMany: "Choose one or more",
		RepFor: "The choice is for", ShowRequest: "Show the request", RepSelf: "Myself", RepNobody: "Nobody", RepNobodyHint: "You log in without representing anybody.",
		RepManyHint: "If you choose nobody, you log in without representing anybody.", RepMustSay: "You must choose whom you represent.",
		RepContinue: "Continue", Orgno: "Org. no.",
		ErrorTitle: "Something went wrong", ErrorIntro: "The login cannot continue.", NoMandate: "Nobody has authorized you to do this.",
		Unavailable: "The service is temporarily unavailable. Please try again shortly.", ErrorCode: "Error code", ErrorReference: "Reference",
		ErrorAdvice: "Go back to the service and try again. Quote the reference if you contact support.",
		HomeTitle:   "Local Ansattporten", HomeText: "This is an Ansattporten for development and test, built with portner. Start from a service.",
	},
	"se": {
		Lang: "se", LangName: "Davvisámegiella", SiteName: "Portner bargiide", SkipToMain: "Njuike sisdollui", Language: "Giella",
		LoginTitle: "Logge sisa", LoginFor: "Don loggemin sisa bálvalussii", Username: "Geavaheaddjinamma", Password: "Beassansátni",
		LogIn: "Logge sisa", Cancel: "Gaskkalduhte", WrongPassword: "Boastto geavaheaddjinamma dahje beassansátni.",
		TestUsers: "Geahččalangeavaheaddjit", TestUsersHint: "Okta coahkkaleapmi logge sisa. Buot riegádannummirat leat syntehtalaččat.",
		RepTitle: "Gean don ovddastat?", RepIntro: "jearrá gean ovddas don doaimmat.", RepOne: "Vállje ovtta", RepMany: "Vállje ovtta dahje máŋga",
		RepFor: "Válljen guoská", ShowRequest: "Čájet jearaldaga", RepSelf: "Iežan", RepNobody: "In ovttage", RepNobodyHint: "Don logget sisa almmá ovddaskeahttá geange.",
		RepManyHint: "Jus it vállje ovttage, de logget sisa almmá ovddaskeahttá geange.", RepMustSay: "Don fertet válljet gean don ovddastat.",
		RepContinue: "Joatkke", Orgno: "Org.nr.",
		ErrorTitle: "Juoga manai boastut", ErrorIntro: "Sisaloggen ii sáhte joatkašuvvat.", NoMandate: "Ii oktage leat addán dutnje fápmudusa dása.",
		Unavailable: "Bálvalus ii leat dál olámuttos. Geahččal ođđasit dan botta.", ErrorCode: "Meattáhuskoda", ErrorReference: "Čujuhus",
		ErrorAdvice: "Mana ruovttoluotta bálvalussii ja geahččal ođđasit. Almmut čujuhusa jus válddát oktavuođa veahkkebálvalusain.",
		HomeTitle:   "Báikkálaš Ansattporten", HomeText: "Dát lea Ansattporten ovddideapmái ja geahččaleapmái, huksejuvvon portneriin. Álgge bálvalusas.",
	},
}

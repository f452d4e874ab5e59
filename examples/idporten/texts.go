package main

// texts holds the texts of the pages in one language.
type texts struct {
	Lang       string // BCP 47, for the lang attribute
	LangName   string
	SiteName   string
	SkipToMain string
	LangLabel  string

	LoginTitle    string
	LoginFor      string // followed by the client's name
	LoginStepUp   string
	LoginAgain    string
	Username      string
	Password      string
	LogIn         string
	Cancel        string
	WrongPassword string
	TestUsers     string
	TestUsersHint string
	LevelLabel    string

	ConsentTitle    string
	ConsentIntro    string // followed by the client's name
	ConsentOrgno    string
	ConsentChoose   string
	ConsentLasts    string
	ConsentRequest  string // opens the JSON of a detail
	ConsentApprove  string
	ConsentDeny     string
	ConsentDenyHint string
	Hour, Hours     string // singular and plural
	Minute, Minutes string

	ErrorTitle       string
	ErrorIntro       string
	ErrorCode        string
	ErrorCorrelation string
	ErrorAdvice      string
	ErrorUnavailable string

	LogoutTitle      string
	LogoutQuestion   string
	LogoutConfirm    string
	LogoutCancel     string
	LoggedOutTitle   string
	LoggedOutText    string
	LoggingOutTitle  string
	LoggingOutText   string
	LogoutContinue   string
	NotLoggedOut     string
	StillLoggedIn    string
	StillLoggedInTxt string

	HomeTitle string
	HomeText  string

	MineTitle    string
	MineText     string
	MineLogin    string // shown without a session
	MineNone     string
	MineEnd      string
	MineUntil    string // followed by a time
	MineOlder    string // the link to the next page
	MineEnded    string
	HistoryTitle string
	HistoryNone  string
}

// languages lists the languages of ID-porten, the default first.
var languages = []string{"nb", "nn", "en", "se"}

var allTexts = map[string]texts{
	"nb": {
		Lang: "nb", LangName: "Bokmål", SiteName: "Portner", SkipToMain: "Hopp til innholdet", LangLabel: "Språk",
		LoginTitle: "Logg inn", LoginFor: "Du logger inn til", LoginStepUp: "Tjenesten krever et høyere sikkerhetsnivå. Logg inn på nytt.",
		LoginAgain: "Tjenesten ber deg logge inn på nytt.",
		Username:   "Brukernavn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukernavn eller passord.",
		TestUsers:     "Testbrukere", TestUsersHint: "Ett klikk logger inn. Alle fødselsnummer er syntetiske.", LevelLabel: "nivå",
		ConsentTitle: "Vil du dele opplysninger?", ConsentIntro: "ber om tilgang på dine vegne.",
		ConsentOrgno: "Org.nr.", ConsentChoose: "Velg hva du vil gi tilgang til", ConsentRequest: "Vis forespørselen", ConsentLasts: "Tilgangen varer i",
		ConsentApprove: "Godta valgte", ConsentDeny: "Ikke del noe", ConsentDenyHint: "Du blir logget inn uansett hva du velger å dele.",
		Hour: "time", Hours: "timer", Minute: "minutt", Minutes: "minutter",
		ErrorTitle: "Noe gikk galt", ErrorIntro: "Innloggingen kan ikke fortsette.", ErrorCode: "Feilkode", ErrorCorrelation: "Referanse",
		ErrorAdvice:      "Gå tilbake til tjenesten og prøv igjen. Oppgi referansen hvis du kontakter brukerstøtte.",
		ErrorUnavailable: "Tjenesten er midlertidig utilgjengelig. Prøv igjen om litt.",
		LogoutTitle:      "Logg ut", LogoutQuestion: "Vil du logge ut av alle tjenester?", LogoutConfirm: "Logg ut", LogoutCancel: "Bli innlogget",
		LoggedOutTitle: "Du er logget ut", LoggedOutText: "Du er logget ut av alle tjenester. Lukk nettleseren hvis andre bruker maskinen.",
		LoggingOutTitle: "Logger ut", LoggingOutText: "Vi logger deg ut av tjenestene du har brukt.", LogoutContinue: "Gå videre",
		NotLoggedOut:  "Du er IKKE logget ut. Prøv igjen.",
		StillLoggedIn: "Du er fortsatt logget inn", StillLoggedInTxt: "Du kan lukke denne siden.",
		HomeTitle: "Lokal ID-porten", HomeText: "Dette er en ID-porten for utvikling og test, bygd av portner. Start fra en tjeneste.",
		MineTitle: "Dine tilganger", MineText: "Dette har du gitt tjenester tilgang til. Du kan avslutte det når du vil.", MineLogin: "Logg inn i en tjeneste først. Så ser du her hva du har gitt tilgang til.",
		MineNone: "Du har ikke gitt noen tilganger.", MineEnd: "Avslutt", MineUntil: "Varer til", MineOlder: "Vis eldre tilganger",
		MineEnded: "Tilgangen er avsluttet.", HistoryTitle: "Siste innlogginger", HistoryNone: "Ingen innlogginger ennå.",
	},
	"nn": {
		Lang: "nn", LangName: "Nynorsk", SiteName: "Portner", SkipToMain: "Hopp til innhaldet", LangLabel: "Språk",
		LoginTitle: "Logg inn", LoginFor: "Du loggar inn til", LoginStepUp: "Tenesta krev eit høgare tryggingsnivå. Logg inn på nytt.",
		LoginAgain: "Tenesta ber deg logge inn på nytt.",
		Username:   "Brukarnamn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukarnamn eller passord.",
		TestUsers:     "Testbrukarar", TestUsersHint: "Eitt klikk loggar inn. Alle fødselsnummer er syntetiske.", LevelLabel: "nivå",
		ConsentTitle: "Vil du dele opplysningar?", ConsentIntro: "ber om tilgang på dine vegner.",
		ConsentOrgno: "Org.nr.", ConsentChoose: "Vel kva du vil gje tilgang til", ConsentRequest: "Vis førespurnaden", ConsentLasts: "Tilgangen varer i",
		ConsentApprove: "Godta valde", ConsentDeny: "Ikkje del noko", ConsentDenyHint: "Du blir logga inn uansett kva du vel å dele.",
		Hour: "time", Hours: "timar", Minute: "minutt", Minutes: "minutt",
		ErrorTitle: "Noko gjekk gale", ErrorIntro: "Innlogginga kan ikkje halde fram.", ErrorCode: "Feilkode", ErrorCorrelation: "Referanse",
		ErrorAdvice:      "Gå tilbake til tenesta og prøv igjen. Oppgje referansen om du kontaktar brukarstøtte.",
		ErrorUnavailable: "Tenesta er mellombels utilgjengeleg. Prøv igjen om litt.",
		LogoutTitle:      "Logg ut", LogoutQuestion: "Vil du logge ut av alle tenester?", LogoutConfirm: "Logg ut", LogoutCancel: "Bli innlogga",
		LoggedOutTitle: "Du er logga ut", LoggedOutText: "Du er logga ut av alle tenester. Lukk nettlesaren om andre brukar maskina.",
		LoggingOutTitle: "Loggar ut", LoggingOutText: "Vi loggar deg ut av tenestene du har brukt.", LogoutContinue: "Gå vidare",
		NotLoggedOut:  "Du er IKKJE logga ut. Prøv igjen.",
		StillLoggedIn: "Du er framleis logga inn", StillLoggedInTxt: "Du kan lukke denne sida.",
		HomeTitle: "Lokal ID-porten", HomeText: "Dette er ein ID-porten for utvikling og test, bygd av portner. Start frå ei teneste.",
		MineTitle: "Tilgangane dine", MineText: "Dette har du gjeve tenester tilgang til. Du kan avslutte det når du vil.", MineLogin: "Logg inn i ei teneste først. Så ser du her kva du har gjeve tilgang til.",
		MineNone: "Du har ikkje gjeve nokon tilgangar.", MineEnd: "Avslutt", MineUntil: "Varer til", MineOlder: "Vis eldre tilgangar",
		MineEnded: "Tilgangen er avslutta.", HistoryTitle: "Siste innloggingar", HistoryNone: "Ingen innloggingar enno.",
	},
	"en": {
		Lang: "en", LangName: "English", SiteName: "Portner", SkipToMain: "Skip to content", LangLabel: "Language",
		LoginTitle: "Log in", LoginFor: "You are logging in to", LoginStepUp: "The service requires a higher level of assurance. Please log in again.",
		LoginAgain: "The service asks you to log in again.",
		Username:   "Username", Password: "Password", LogIn: "Log in", Cancel: "Cancel",
		WrongPassword: "Wrong username or password.",
		TestUsers:     "Test users", TestUsersHint: "One click logs in. All identity numbers are synthetic.", LevelLabel: "level",
		ConsentTitle: "Share information?", ConsentIntro: "asks for access on your behalf.",
		ConsentOrgno: "Org. no.", ConsentChoose: "Choose what to give access to", ConsentRequest: "Show the request", ConsentLasts: "The access lasts",
		ConsentApprove: "Accept selected", ConsentDeny: "Share nothing", ConsentDenyHint: "You will be logged in whatever you choose to share.",
		Hour: "hour", Hours: "hours", Minute: "minute", Minutes: "minutes",
		ErrorTitle: "Something went wrong", ErrorIntro: "The login cannot continue.", ErrorCode: "Error code", ErrorCorrelation: "Reference",
		ErrorAdvice:      "Go back to the service and try again. Quote the reference if you contact support.",
		ErrorUnavailable: "The service is temporarily unavailable. Please try again shortly.",
		LogoutTitle:      "Log out", LogoutQuestion: "Do you want to log out of all services?", LogoutConfirm: "Log out", LogoutCancel: "Stay logged in",
		LoggedOutTitle: "You are logged out", LoggedOutText: "You are logged out of all services. Close the browser if others use this machine.",
		LoggingOutTitle: "Logging out", LoggingOutText: "We are logging you out of the services you have used.", LogoutContinue: "Continue",
		NotLoggedOut:  "You are NOT logged out. Please try again.",
		StillLoggedIn: "You are still logged in", StillLoggedInTxt: "You can close this page.",
		HomeTitle: "Local ID-porten", HomeText: "This is an ID-porten for development and test, built with portner. Start from a service.",
		MineTitle: "Your authorizations", MineText: "This is what you have given services access to. You can end it at any time.", MineLogin: "Log in to a service first. Then you see here what you have given access to.",
		MineNone: "You have given no access.", MineEnd: "End", MineUntil: "Lasts until", MineOlder: "Show older ones",
		MineEnded: "The access has ended.", HistoryTitle: "Latest logins", HistoryNone: "No logins yet.",
	},
	"se": {
		Lang: "se", LangName: "Davvisámegiella", SiteName: "Portner", SkipToMain: "Njuike sisdollui", LangLabel: "Giella",
		LoginTitle: "Logge sisa", LoginFor: "Don loggemin sisa bálvalussii", LoginStepUp: "Bálvalus gáibida alit sihkarvuođadási. Logge sisa ođđasit.",
		LoginAgain: "Bálvalus bivdá du logget sisa ođđasit.",
		Username:   "Geavaheaddjinamma", Password: "Beassansátni", LogIn: "Logge sisa", Cancel: "Gaskkalduhte",
		WrongPassword: "Boastto geavaheaddjinamma dahje beassansátni.",
		TestUsers:     "Geahččalangeavaheaddjit", TestUsersHint: "Okta coahkkaleapmi logge sisa. Buot riegádannummirat leat syntehtalaččat.", LevelLabel: "dássi",
		ConsentTitle: "Háliidatgo juogadit dieđuid?", ConsentIntro: "bivdá beassat du dieđuide du ovddas.",
		ConsentOrgno: "Org.nr.", ConsentChoose: "Vállje masa attát beassanvejolašvuođa", ConsentRequest: "Čájet jearaldaga", ConsentLasts: "Beassanvejolašvuohta bistá",
		ConsentApprove: "Dohkket válljejuvvomiid", ConsentDeny: "Ale juogat maidege", ConsentDenyHint: "Don loggejuvvot sisa beroškeahttá das maid válljet juogadit.",
		Hour: "diimmu", Hours: "diimmu", Minute: "minuhta", Minutes: "minuhta",
		ErrorTitle: "Mihkkege manai boastut", ErrorIntro: "Sisaloggen ii sáhte joatkit.", ErrorCode: "Meattáhuskoda", ErrorCorrelation: "Čujuhus",
		ErrorAdvice:      "Mana ruovttoluotta bálvalussii ja geahččal ođđasit. Almmut čujuhusa jus válddát oktavuođa geavaheaddjidoarjagiin.",
		ErrorUnavailable: "Bálvalus ii leat dál olamuttus. Geahččal ođđasit oanehaš geahčen.",
		LogoutTitle:      "Logge olggos", LogoutQuestion: "Háliidatgo logget olggos buot bálvalusain?", LogoutConfirm: "Logge olggos", LogoutCancel: "Bisso siste",
		LoggedOutTitle: "Don leat loggejuvvon olggos", LoggedOutText: "Don leat loggejuvvon olggos buot bálvalusain. Gidde neahttalogana jus earát geavahit mašiinna.",
		LoggingOutTitle: "Loggemin olggos", LoggingOutText: "Mii logget du olggos bálvalusain maid leat geavahan.", LogoutContinue: "Joatkke",
		NotLoggedOut:  "Don IT leat loggejuvvon olggos. Geahččal ođđasit.",
		StillLoggedIn: "Don leat ain siste", StillLoggedInTxt: "Don sáhtát giddet dán siiddu.",
		HomeTitle: "Báikkálaš ID-porten", HomeText: "Dát lea ID-porten ovdánahttimii ja geahččaleapmái, ráhkaduvvon portneriin. Álgge bálvalusas.",
		MineTitle: "Du beassanvejolašvuođat", MineText: "Dáid beassanvejolašvuođaid leat addán bálvalusaide. Don sáhtát heaittihit daid goas háliidat.", MineLogin: "Logge vuos sisa muhtun bálvalussii. De oainnát dáppe masa leat addán beassanvejolašvuođa.",
		MineNone: "Don it leat addán makkárge beassanvejolašvuođaid.", MineEnd: "Heaittit", MineUntil: "Bistá gitta", MineOlder: "Čájet boarrásit beassanvejolašvuođaid",
		MineEnded: "Beassanvejolašvuohta lea heaittihuvvon.", HistoryTitle: "Maŋimuš sisaloggemat", HistoryNone: "Eai leat vel sisaloggemat.",
	},
}

// textsFor returns the texts of a language, or those of bokmål if it is unknown.
func textsFor(lang string) texts {
	if t, ok := allTexts[lang]; ok {
		return t
	}
	return allTexts["nb"]
}

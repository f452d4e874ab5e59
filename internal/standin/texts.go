package standin

import (
	"slices"

	"github.com/portner-go/portner/authorize"
)

// Languages lists the languages of the pages, the default first.
var Languages = []string{"nb", "nn", "en", "se"}

// unreviewed are the languages whose texts no speaker has reviewed, in every stand-in. Their pages say so.
var unreviewed = []string{"se"}

// Texts holds the texts in one language that the stand-ins share.
type Texts struct {
	Lang       string // BCP 47, for the lang attribute
	LangName   string
	LangLabel  string
	SkipToMain string
	Unreviewed string // shown in the languages of unreviewed
	Failed     string // before the title of a page that is shown again because of an error

	LoginTitle    string
	LoginFor      string // followed by the client's name
	Username      string
	Password      string
	LogIn         string
	Cancel        string
	WrongPassword string
	TestUsers     string
	TestUsersHint string
	LevelLabel    string // before the name of a level

	StepUpTitle string
	StepUp      string // followed by the name of a level
	Again       string // the client asks for a new login
	Expired     string
	TooOld      string
	JustForThis string
	OwnLogin    string // the client has no single sign-on
	OtherUser   string
	Disabled    string
	Changed     string

	LogoutTitle      string
	LogoutQuestion   string
	LogoutConfirm    string
	LogoutCancel     string
	LoggedOutTitle   string
	LoggedOutText    string
	LoggingOutTitle  string
	LoggingOutText   string
	LogoutContinue   string
	StillLoggedIn    string
	StillLoggedInTxt string

	ErrorTitle       string
	ErrorLogin       string
	ErrorLogout      string
	CompletedTitle   string
	Completed        string
	TooLateTitle     string
	TooLate          string
	NotLoggedOut     string
	NotFoundTitle    string
	NotFound         string
	BadMethodTitle   string
	BadMethod        string
	ErrorUnavailable string
	ErrorCode        string
	ErrorParameter   string
	ErrorCorrelation string
	ErrorAdvice      string
	BackTo           string // the link to the client, followed by its name
	BackHome         string

	Orgno string
	Names Names
}

// TextsFor returns the texts of a language, or those of the default if it is unknown.
func TextsFor(lang string) Texts {
	if t, ok := allTexts[lang]; ok {
		return t
	}
	return allTexts[Languages[0]]
}

// Why returns why a page asks for a login although the user may have logged in before. It is "" if the user has not.
func (t Texts) Why(p *authorize.Pending) string {
	if p.Step == authorize.StepUpStep {
		return t.StepUp + " " + t.Names.lowest(p.RequestedACR) + "."
	}
	switch p.Reason {
	case "step_up":
		return t.StepUp + " " + t.Names.lowest(p.RequestedACR) + "."
	case "prompt_login":
		return t.Again
	case "max_reached", "idle_reached":
		return t.Expired
	case "max_age", "future_login":
		return t.TooOld
	case "fresh_scope", "single_use":
		return t.JustForThis
	case "other_circle":
		return t.OwnLogin
	case "other_user":
		return t.OtherUser
	case "user_disabled":
		return t.Disabled
	case "session_changed":
		return t.Changed
	}
	if slices.Contains(p.Prompt, "login") {
		return t.Again
	}
	return ""
}

// allTexts holds the texts by language.
var allTexts = map[string]Texts{
	"nb": {
		Lang: "nb", LangName: "Bokmål", LangLabel: "Språk", SkipToMain: "Hopp til innholdet", Unreviewed: "Teksten er ikke gjennomgått av en som har språket som morsmål.", Failed: "Feil",
		LoginTitle: "Logg inn", LoginFor: "Du logger inn til", Username: "Brukernavn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukernavn eller passord.", TestUsers: "Testbrukere", TestUsersHint: "Ett klikk logger inn. Alle fødselsnummer er syntetiske.", LevelLabel: "nivå",
		StepUpTitle: "Logg inn på et høyere nivå", StepUp: "Du er logget inn, men tjenesten krever et høyere sikkerhetsnivå:",
		Again: "Du er logget inn, men tjenesten ber deg logge inn på nytt.", Expired: "Innloggingen din er gått ut på tid. Logg inn på nytt.",
		TooOld:      "Det er for lenge siden du logget inn til at tjenesten godtar det. Logg inn på nytt.",
		JustForThis: "Tjenesten krever at du logger inn for akkurat denne bruken.",
		OwnLogin:    "Denne tjenesten deler ikke innlogging med andre tjenester. Derfor må du logge inn her også.",
		OtherUser:   "Tjenesten venter en annen bruker enn den som er logget inn. Logg inn på nytt.", Disabled: "Brukeren som var logget inn, er sperret.",
		Changed:     "Innloggingen ble endret i et annet vindu mens denne siden var åpen. Logg inn på nytt.",
		LogoutTitle: "Logg ut", LogoutQuestion: "Vil du logge ut av alle tjenester?", LogoutConfirm: "Logg ut", LogoutCancel: "Bli innlogget",
		LoggedOutTitle: "Du er logget ut", LoggedOutText: "Du er logget ut av alle tjenester. Lukk nettleseren hvis andre bruker maskinen.",
		LoggingOutTitle: "Logger ut", LoggingOutText: "Vi logger deg ut av tjenestene du har brukt.", LogoutContinue: "Gå videre",
		StillLoggedIn: "Du er fortsatt logget inn", StillLoggedInTxt: "Du kan lukke denne siden.",
		ErrorTitle: "Noe gikk galt", ErrorLogin: "Innloggingen kan ikke fortsette.", ErrorLogout: "Utloggingen kan ikke fortsette.", NotLoggedOut: "Du er IKKE logget ut.",
		CompletedTitle: "Innloggingen er fullført", Completed: "Du er ferdig med denne siden. Gå tilbake til tjenesten.",
		TooLateTitle: "Innloggingen er utløpt", TooLate: "Siden har stått åpen for lenge, eller innloggingen ble startet i en annen nettleser. Gå tilbake til tjenesten og start på nytt.",
		NotFoundTitle: "Siden finnes ikke", NotFound: "Adressen er feil, eller siden er flyttet.",
		BadMethodTitle: "Siden kan ikke åpnes slik", BadMethod: "Adressen finnes, men ikke som en side du kan åpne i nettleseren.",
		ErrorUnavailable: "Tjenesten er midlertidig utilgjengelig. Prøv igjen om litt.", ErrorCode: "Feilkode", ErrorParameter: "Parameter", ErrorCorrelation: "Referanse",
		ErrorAdvice: "Gå tilbake og prøv igjen. Loggen til serveren sier hva som er feil, på linjen med referansen.", BackTo: "Tilbake til", BackHome: "Til forsiden", Orgno: "Org.nr.",
		Names: namesNB,
	},
	"nn": {
		Lang: "nn", LangName: "Nynorsk", LangLabel: "Språk", SkipToMain: "Hopp til innhaldet", Unreviewed: "Teksten er ikkje gjennomgått av nokon som har språket som morsmål.", Failed: "Feil",
		LoginTitle: "Logg inn", LoginFor: "Du loggar inn til", Username: "Brukarnamn", Password: "Passord", LogIn: "Logg inn", Cancel: "Avbryt",
		WrongPassword: "Feil brukarnamn eller passord.", TestUsers: "Testbrukarar", TestUsersHint: "Eitt klikk loggar inn. Alle fødselsnummer er syntetiske.", LevelLabel: "nivå",
		StepUpTitle: "Logg inn på eit høgare nivå", StepUp: "Du er logga inn, men tenesta krev eit høgare tryggingsnivå:",
		Again: "Du er logga inn, men tenesta ber deg logge inn på nytt.", Expired: "Innlogginga di har gått ut på tid. Logg inn på nytt.",
		TooOld:      "Det er for lenge sidan du logga inn til at tenesta godtek det. Logg inn på nytt.",
		JustForThis: "Tenesta krev at du loggar inn for akkurat denne bruken.",
		OwnLogin:    "Denne tenesta deler ikkje innlogging med andre tenester. Difor må du logge inn her òg.",
		OtherUser:   "Tenesta ventar ein annan brukar enn den som er logga inn. Logg inn på nytt.", Disabled: "Brukaren som var logga inn, er sperra.",
		Changed:     "Innlogginga vart endra i eit anna vindauge medan denne sida var open. Logg inn på nytt.",
		LogoutTitle: "Logg ut", LogoutQuestion: "Vil du logge ut av alle tenester?", LogoutConfirm: "Logg ut", LogoutCancel: "Bli innlogga",
		LoggedOutTitle: "Du er logga ut", LoggedOutText: "Du er logga ut av alle tenester. Lukk nettlesaren om andre brukar maskina.",
		LoggingOutTitle: "Loggar ut", LoggingOutText: "Vi loggar deg ut av tenestene du har brukt.", LogoutContinue: "Gå vidare",
		StillLoggedIn: "Du er framleis logga inn", StillLoggedInTxt: "Du kan lukke denne sida.",
		ErrorTitle: "Noko gjekk gale", ErrorLogin: "Innlogginga kan ikkje halde fram.", ErrorLogout: "Utlogginga kan ikkje halde fram.", NotLoggedOut: "Du er IKKJE logga ut.",
		CompletedTitle: "Innlogginga er fullført", Completed: "Du er ferdig med denne sida. Gå tilbake til tenesta.",
		TooLateTitle: "Innlogginga har gått ut", TooLate: "Sida har stått open for lenge, eller innlogginga vart starta i ein annan nettlesar. Gå tilbake til tenesta og start på nytt.",
		NotFoundTitle: "Sida finst ikkje", NotFound: "Adressa er feil, eller sida er flytta.",
		BadMethodTitle: "Sida kan ikkje opnast slik", BadMethod: "Adressa finst, men ikkje som ei side du kan opne i nettlesaren.",
		ErrorUnavailable: "Tenesta er mellombels utilgjengeleg. Prøv igjen om litt.", ErrorCode: "Feilkode", ErrorParameter: "Parameter", ErrorCorrelation: "Referanse",
		ErrorAdvice: "Gå tilbake og prøv igjen. Loggen til tenaren seier kva som er feil, på linja med referansen.", BackTo: "Tilbake til", BackHome: "Til framsida", Orgno: "Org.nr.",
		Names: namesNN,
	},
	"en": {
		Lang: "en", LangName: "English", LangLabel: "Language", SkipToMain: "Skip to content", Unreviewed: "No native speaker has reviewed this text.", Failed: "Error",
		LoginTitle: "Log in", LoginFor: "You are logging in to", Username: "Username", Password: "Password", LogIn: "Log in", Cancel: "Cancel",
		WrongPassword: "Wrong username or password.", TestUsers: "Test users", TestUsersHint: "One click logs in. All identity numbers are synthetic.", LevelLabel: "level",
		StepUpTitle: "Log in at a higher level", StepUp: "You are logged in, but the service requires a higher level of assurance:",
		Again: "You are logged in, but the service asks you to log in again.", Expired: "Your login has expired. Please log in again.",
		TooOld:      "You logged in too long ago for this service. Please log in again.",
		JustForThis: "The service requires a login for this use alone.",
		OwnLogin:    "This service does not share logins with other services, so you have to log in here too.",
		OtherUser:   "The service expects another user than the one who is logged in. Please log in again.", Disabled: "The user who was logged in is disabled.",
		Changed:     "The login changed in another window while this page was open. Please log in again.",
		LogoutTitle: "Log out", LogoutQuestion: "Do you want to log out of all services?", LogoutConfirm: "Log out", LogoutCancel: "Stay logged in",
		LoggedOutTitle: "You are logged out", LoggedOutText: "You are logged out of all services. Close the browser if others use this machine.",
		LoggingOutTitle: "Logging out", LoggingOutText: "We are logging you out of the services you have used.", LogoutContinue: "Continue",
		StillLoggedIn: "You are still logged in", StillLoggedInTxt: "You can close this page.",
		ErrorTitle: "Something went wrong", ErrorLogin: "The login cannot continue.", ErrorLogout: "The logout cannot continue.", NotLoggedOut: "You are NOT logged out.",
		CompletedTitle: "The login is completed", Completed: "You are done with this page. Go back to the service.",
		TooLateTitle: "The login has expired", TooLate: "The page was open for too long, or the login was started in another browser. Go back to the service and start again.",
		NotFoundTitle: "Page not found", NotFound: "The address is wrong, or the page has moved.",
		BadMethodTitle: "This page cannot be opened like this", BadMethod: "The address exists, but not as a page that you can open in the browser.",
		ErrorUnavailable: "The service is temporarily unavailable. Please try again shortly.", ErrorCode: "Error code", ErrorParameter: "Parameter", ErrorCorrelation: "Reference",
		ErrorAdvice: "Go back and try again. The log of the server says what is wrong, on the line with the reference.", BackTo: "Back to", BackHome: "To the front page", Orgno: "Org. no.",
		Names: namesEN,
	},
	"se": {
		Lang: "se", LangName: "Davvisámegiella", LangLabel: "Giella", SkipToMain: "Njuike sisdollui", Unreviewed: "Ii oktage eatnigielat hálli leat vel dárkkistan teavstta.", Failed: "Meattáhus",
		LoginTitle: "Logge sisa", LoginFor: "Don loggemin sisa bálvalussii", Username: "Geavaheaddjinamma", Password: "Beassansátni", LogIn: "Logge sisa", Cancel: "Gaskkalduhte",
		WrongPassword: "Boastto geavaheaddjinamma dahje beassansátni.", TestUsers: "Geahččalangeavaheaddjit",
		TestUsersHint: "Okta coahkkaleapmi logge sisa. Buot riegádannummirat leat syntehtalaččat.", LevelLabel: "dássi",
		StepUpTitle: "Logge sisa alit dásis", StepUp: "Don leat siste, muhto bálvalus gáibida alit sihkarvuođadási:",
		Again: "Don leat siste, muhto bálvalus bivdá du logget sisa ođđasit.", Expired: "Du sisaloggen lea nohkan. Logge sisa ođđasit.",
		TooOld:      "Lea menddo guhkes áigi dan rájes go logget sisa. Logge sisa ođđasit.",
		JustForThis: "Bálvalus gáibida ahte logget sisa dušše dán geavaheapmái.",
		OwnLogin:    "Dát bálvalus ii juoge sisaloggema eará bálvalusaiguin. Danin fertet logget sisa dáppe maid.",
		OtherUser:   "Bálvalus vuordá eará geavaheaddji go dan guhte lea siste. Logge sisa ođđasit.", Disabled: "Geavaheaddji guhte lei siste, lea giddejuvvon.",
		Changed:     "Sisaloggen rievdaduvvui eará láses dan botta go dát siidu lei rabas. Logge sisa ođđasit.",
		LogoutTitle: "Logge olggos", LogoutQuestion: "Háliidatgo logget olggos buot bálvalusain?", LogoutConfirm: "Logge olggos", LogoutCancel: "Bisso siste",
		LoggedOutTitle: "Don leat loggejuvvon olggos", LoggedOutText: "Don leat loggejuvvon olggos buot bálvalusain. Gidde neahttalogana jus earát geavahit mašiinna.",
		LoggingOutTitle: "Loggemin olggos", LoggingOutText: "Mii logget du olggos bálvalusain maid leat geavahan.", LogoutContinue: "Joatkke",
		StillLoggedIn: "Don leat ain siste", StillLoggedInTxt: "Don sáhtát giddet dán siiddu.",
		ErrorTitle: "Juoga manai boastut", ErrorLogin: "Sisaloggen ii sáhte joatkašuvvat.", ErrorLogout: "Olggosloggen ii sáhte joatkašuvvat.", NotLoggedOut: "Don IT leat loggejuvvon olggos.",
		CompletedTitle: "Sisaloggen lea gárvvis", Completed: "Don leat gárvvis dáinna siidduin. Mana ruovttoluotta bálvalussii.",
		TooLateTitle: "Sisaloggen lea nohkan", TooLate: "Siidu lei rabas menddo guhká, dahje sisaloggen álggahuvvui eará neahttalogahagas. Mana ruovttoluotta bálvalussii ja álgge ođđasit.",
		NotFoundTitle: "Siidu ii gávdno", NotFound: "Čujuhus lea boastut, dahje siidu lea sirdojuvvon.",
		BadMethodTitle: "Siidu ii sáhte rahpot ná", BadMethod: "Čujuhus gávdno, muhto ii siidun maid sáhtát rahpat neahttalogahagas.",
		ErrorUnavailable: "Bálvalus ii leat dál olámuttos. Geahččal ođđasit dan botta.", ErrorCode: "Meattáhuskoda", ErrorParameter: "Parametera", ErrorCorrelation: "Čujuhus",
		ErrorAdvice: "Mana ruovttoluotta ja geahččal ođđasit. Servera loggas čuožžu mii lea boastut, linnjás mas lea čujuhus.", BackTo: "Ruovttoluotta:", BackHome: "Ovdasiidui", Orgno: "Org.nr.",
		Names: namesSE,
	},
}

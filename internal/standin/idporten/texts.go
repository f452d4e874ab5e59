package idporten

import "github.com/portner-go/portner/internal/standin"

// texts holds the texts of the pages in one language.
type texts struct {
	standin.Texts

	ConsentTitle      string
	ConsentIntro      string // followed by the client's name
	ConsentChoose     string
	ConsentOne        string // instead of ConsentChoose, if there is one thing to approve
	ConsentLasts      string
	ConsentRequest    string // opens the JSON of a detail
	ConsentApprove    string // approves what the user ticked
	ConsentApproveOne string // followed by what it approves
	ConsentDeny       string
	ConsentDenyHint   string
	ConsentNothing    string // the user approved, and ticked nothing
	ConsentChanged    string // a text of the page changed while it was shown
	Hour, Hours       string // singular and plural
	Minute, Minutes   string

	HomeTitle string
	HomeText  string

	MineTitle    string
	MineText     string
	MineLogin    string // shown without a session
	MineNone     string
	MineSince    string // followed by a time
	MineGone     string // the name of a client that is not registered any more
	MineEnd      string
	MineUntil    string // followed by a time
	MineOlder    string // the link to the next page
	MineEnded    string
	HistoryTitle string
	HistoryNone  string

	Standard map[string]string // names of the standard scopes
}

// standard returns the names of the standard scopes.
func standard(openid, profile, email, address, phone, offline string) map[string]string {
	return map[string]string{"openid": openid, "profile": profile, "email": email, "address": address, "phone": phone, "offline_access": offline}
}

var allTexts = map[string]texts{
	"nb": {
		ConsentTitle: "Vil du dele opplysninger?", ConsentIntro: "ber om tilgang på dine vegne.",
		ConsentChoose: "Kryss av for det du vil gi tilgang til", ConsentRequest: "Vis forespørselen", ConsentLasts: "Tilgangen varer i",
		ConsentApprove: "Gi tilgang til det jeg har krysset av", ConsentDeny: "Ikke gi tilgang til noe", ConsentDenyHint: "Tjenesten får vite hva du svarer, og avgjør selv hva du kan bruke uten tilgangen.",
		Hour: "time", Hours: "timer", Minute: "minutt", Minutes: "minutter",
		HomeTitle: "Lokal ID-porten", HomeText: "Dette er en ID-porten for utvikling og test, bygd av portner. Start fra en tjeneste.",
		MineTitle: "Dine tilganger", MineText: "Dette har du gitt tjenester tilgang til. Du kan avslutte det når du vil.", MineLogin: "Logg inn i en tjeneste først. Så ser du her hva du har gitt tilgang til.",
		MineNone: "Du har ikke gitt noen tilganger.", MineEnd: "Avslutt tilgangen", MineUntil: "Varer til", MineOlder: "Vis eldre tilganger",
		MineEnded: "Tilgangen er avsluttet.", HistoryTitle: "Siste innlogginger", HistoryNone: "Ingen innlogginger ennå.",
		ConsentOne: "Tjenesten ber om tilgang til dette", ConsentApproveOne: "Gi tilgang:", ConsentNothing: "Du har ikke krysset av for noe. Kryss av, eller velg «Ikke gi tilgang til noe».",
		ConsentChanged: "Det du blir bedt om, ble endret mens siden var åpen. Les det på nytt.", MineSince: "Gitt", MineGone: "Tjeneste som ikke finnes lenger",
		Standard: standard("Se hvem du er når du logger inn", "Se navnet ditt og andre opplysninger i profilen", "Se e-postadressen din", "Se adressen din", "Se telefonnummeret ditt", "Bruke tilgangen når du ikke er til stede"),
	},
	"nn": {
		ConsentTitle: "Vil du dele opplysningar?", ConsentIntro: "ber om tilgang på dine vegner.",
		ConsentChoose: "Kryss av for det du vil gje tilgang til", ConsentRequest: "Vis førespurnaden", ConsentLasts: "Tilgangen varer i",
		ConsentApprove: "Gje tilgang til det eg har kryssa av", ConsentDeny: "Ikkje gje tilgang til noko", ConsentDenyHint: "Tenesta får vite kva du svarar, og avgjer sjølv kva du kan bruke utan tilgangen.",
		Hour: "time", Hours: "timar", Minute: "minutt", Minutes: "minutt",
		HomeTitle: "Lokal ID-porten", HomeText: "Dette er ein ID-porten for utvikling og test, bygd av portner. Start frå ei teneste.",
		MineTitle: "Tilgangane dine", MineText: "Dette har du gjeve tenester tilgang til. Du kan avslutte det når du vil.", MineLogin: "Logg inn i ei teneste først. Så ser du her kva du har gjeve tilgang til.",
		MineNone: "Du har ikkje gjeve nokon tilgangar.", MineEnd: "Avslutt tilgangen", MineUntil: "Varer til", MineOlder: "Vis eldre tilgangar",
		MineEnded: "Tilgangen er avslutta.", HistoryTitle: "Siste innloggingar", HistoryNone: "Ingen innloggingar enno.",
		ConsentOne: "Tenesta ber om tilgang til dette", ConsentApproveOne: "Gje tilgang:", ConsentNothing: "Du har ikkje kryssa av for noko. Kryss av, eller vel «Ikkje gje tilgang til noko».",
		ConsentChanged: "Det du blir bede om, vart endra medan sida var open. Les det på nytt.", MineSince: "Gjeven", MineGone: "Teneste som ikkje finst lenger",
		Standard: standard("Sjå kven du er når du loggar inn", "Sjå namnet ditt og andre opplysningar i profilen", "Sjå e-postadressa di", "Sjå adressa di", "Sjå telefonnummeret ditt", "Bruke tilgangen når du ikkje er til stades"),
	},
	"en": {
		ConsentTitle: "Share information?", ConsentIntro: "asks for access on your behalf.",
		ConsentChoose: "Tick what you want to give access to", ConsentRequest: "Show the request", ConsentLasts: "The access lasts",
		ConsentApprove: "Give access to what I have ticked", ConsentDeny: "Give access to nothing", ConsentDenyHint: "The service learns your answer and decides itself what you can use without the access.",
		Hour: "hour", Hours: "hours", Minute: "minute", Minutes: "minutes",
		HomeTitle: "Local ID-porten", HomeText: "This is an ID-porten for development and test, built with portner. Start from a service.",
		MineTitle: "Your authorizations", MineText: "This is what you have given services access to. You can end it at any time.", MineLogin: "Log in to a service first. Then you see here what you have given access to.",
		MineNone: "You have given no access.", MineEnd: "End the access", MineUntil: "Lasts until", MineOlder: "Show older ones",
		MineEnded: "The access has ended.", HistoryTitle: "Latest logins", HistoryNone: "No logins yet.",
		ConsentOne: "The service asks for access to this", ConsentApproveOne: "Give access:", ConsentNothing: "You have ticked nothing. Tick something, or choose “Give access to nothing”.",
		ConsentChanged: "What you are asked for changed while the page was open. Please read it again.", MineSince: "Given", MineGone: "Service that no longer exists",
		Standard: standard("See who you are when you log in", "See your name and other information of the profile", "See your e-mail address", "See your address", "See your phone number", "Use the access when you are not present"),
	},
	"se": {
		ConsentTitle: "Háliidatgo juogadit dieđuid?", ConsentIntro: "bivdá beassat du dieđuide du ovddas.",
		ConsentChoose: "Russe dan masa háliidat addit beassanvejolašvuođa", ConsentRequest: "Čájet jearaldaga", ConsentLasts: "Beassanvejolašvuohta bistá",
		ConsentApprove: "Atte beassanvejolašvuođa dasa maid lean russen", ConsentDeny: "Ale atte beassanvejolašvuođa masage", ConsentDenyHint: "Bálvalus oažžu dieđu du vástádusas ja mearrida ieš maid sáhtát geavahit almmá beassanvejolašvuođa haga.",
		Hour: "diimmu", Hours: "diimmu", Minute: "minuhta", Minutes: "minuhta",
		HomeTitle: "Báikkálaš ID-porten", HomeText: "Dát lea ID-porten ovdánahttimii ja geahččaleapmái, ráhkaduvvon portneriin. Álgge bálvalusas.",
		MineTitle: "Du beassanvejolašvuođat", MineText: "Dáid beassanvejolašvuođaid leat addán bálvalusaide. Don sáhtát heaittihit daid goas háliidat.", MineLogin: "Logge vuos sisa muhtun bálvalussii. De oainnát dáppe masa leat addán beassanvejolašvuođa.",
		MineNone: "Don it leat addán makkárge beassanvejolašvuođaid.", MineEnd: "Heaittit beassanvejolašvuođa", MineUntil: "Bistá gitta", MineOlder: "Čájet boarrásit beassanvejolašvuođaid",
		MineEnded: "Beassanvejolašvuohta lea heaittihuvvon.", HistoryTitle: "Maŋimuš sisaloggemat", HistoryNone: "Eai leat vel sisaloggemat.",
		ConsentOne: "Bálvalus bivdá beassat dása", ConsentApproveOne: "Atte beassanvejolašvuođa:", ConsentNothing: "It leat russen maidege. Russe, dahje vállje «Ale atte beassanvejolašvuođa masage».",
		ConsentChanged: "Dat maid dus bivdet, rievddai dan botta go siidu lei rabas. Loga ođđasit.", MineSince: "Addojuvvon", MineGone: "Bálvalus mii ii gávdno šat",
		Standard: standard("Oaidnit gii don leat go logget sisa", "Oaidnit du nama ja eará profiladieđuid", "Oaidnit du e-poastačujuhusa", "Oaidnit du čujuhusa", "Oaidnit du telefovdnanummira", "Geavahit beassanvejolašvuođa go don it leat das"),
	},
}

// TextsFor returns the texts of a language, or those of bokmål if it is unknown.
func TextsFor(lang string) texts {
	common := standin.TextsFor(lang)
	t := allTexts[common.Lang]
	t.Texts = common
	return t
}

package standin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no time zones

	"github.com/portner-go/portner/acr"
)

// Names holds the names of levels, methods and times in one language.
type Names struct {
	levels  map[string]string // by acr
	methods map[string]string // by amr; a product whose name is the same everywhere is not there
	months  [12]string
	time    func(day int, month string, year, hour, minute int) string
}

// Level returns the name of a level.
func (n Names) Level(acr string) string { return cmp.Or(n.levels[acr], acr) }

// lowest returns the name of the lowest of the levels that a request accepts.
func (n Names) lowest(accepted []string) string {
	for _, levels := range []*acr.Levels{acr.IDPortenWithOldNames, acr.Ansattporten} {
		for _, level := range levels.Values() {
			if slices.Contains(accepted, level) {
				return n.Level(level)
			}
		}
	}
	return strings.Join(accepted, ", ")
}

// Methods returns the names of methods of authentication.
func (n Names) Methods(amr ...string) string {
	names := make([]string, len(amr))
	for i, method := range amr {
		names[i] = cmp.Or(n.methods[method], method)
	}
	return strings.Join(names, ", ")
}

// Instant is a time for people and, in ISO 8601, for machines.
type Instant struct{ Text, ISO string }

// oslo is the time zone of the texts.
var oslo = func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic(err) // the zone is part of the program
	}
	return l
}()

// Instant returns a time in the zone of Norway, which the text names.
func (n Names) Instant(t time.Time) Instant {
	t = t.In(oslo)
	return Instant{n.time(t.Day(), n.months[t.Month()-1], t.Year(), t.Hour(), t.Minute()), t.Format(time.RFC3339)}
}

var (
	monthsNorwegian = [12]string{"januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november", "desember"}

	namesNB = Names{
		levels: levelNames("lavt", "betydelig", "høyt", "begrenset", "selvregistrert e-post"),
		methods: methodNames("engangskode", "app", "kodegenerator", "PIN-kode", "passnøkkel", "eID fra et annet land i Europa", "e-post", "testinnlogging",
			"du var allerede logget inn", "jobbkonto", "passord"),
		months: monthsNorwegian, time: norwegian,
	}
	namesNN = Names{
		levels: levelNames("lågt", "betydeleg", "høgt", "avgrensa", "sjølvregistrert e-post"),
		methods: methodNames("eingongskode", "app", "kodegenerator", "PIN-kode", "passnøkkel", "eID frå eit anna land i Europa", "e-post", "testinnlogging",
			"du var alt logga inn", "jobbkonto", "passord"),
		months: monthsNorwegian, time: norwegian,
	}
	namesEN = Names{
		levels: levelNames("low", "substantial", "high", "limited", "self-registered e-mail"),
		methods: methodNames("one-time code", "app", "code generator", "PIN code", "passkey", "eID of another European country", "e-mail", "test login",
			"you were logged in already", "work account", "password"),
		months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		time: func(day int, month string, year, hour, minute int) string {
			return fmt.Sprintf("%d %s %d at %02d:%02d, Norwegian time", day, month, year, hour, minute)
		},
	}
	namesSE = Names{
		levels: levelNames("vuollegis", "mearkkašahtti", "alla", "ráddjejuvvon", "iešregistrerejuvvon e-poasta"),
		methods: methodNames("ovttageardánkoda", "áppa", "kodageneráhtor", "PIN-koda", "beassančoavdda", "eID eará eurohpalaš riikkas", "e-poasta", "geahččaleapmi",
			"don ledjet juo siste", "bargokonto", "beassansátni"),
		months: [12]string{"ođđajagimánu", "guovvamánu", "njukčamánu", "cuoŋománu", "miessemánu", "geassemánu", "suoidnemánu", "borgemánu", "čakčamánu", "golggotmánu", "skábmamánu", "juovlamánu"},
		time: func(day int, month string, year, hour, minute int) string {
			return fmt.Sprintf("%s %d. b. %d dii. %02d.%02d, Norgga áigi", month, day, year, hour, minute)
		},
	}
)

func norwegian(day int, month string, year, hour, minute int) string {
	return fmt.Sprintf("%d. %s %d kl. %02d.%02d, norsk tid", day, month, year, hour, minute)
}

func levelNames(low, substantial, high, limited, email string) map[string]string {
	return map[string]string{
		acr.SelfRegisteredEmail: email, acr.OldSubstantial: substantial, acr.OldHigh: high, acr.Low: low, acr.SubstantialLimited: substantial + " (" + limited + ")", acr.Substantial: substantial, acr.High: high,
		acr.EIDASLow: "eIDAS " + low, acr.EIDASSubstantial: "eIDAS " + substantial, acr.EIDASHigh: "eIDAS " + high,
		acr.AnsattportenLow: low, acr.AnsattportenSubstantial: substantial, acr.AnsattportenHigh: high,
	}
}

func methodNames(otc, app, totp, pin, passkey, eidas, email, test, federated, work, password string) map[string]string {
	return map[string]string{
		"Minid-OTC": "MinID (" + otc + ")", "Minid-APP": "MinID (" + app + ")", "Minid-TOTP": "MinID (" + totp + ")", "Minid-PIN": "MinID (" + pin + ")", "Minid-WEBAUTHN": "MinID (" + passkey + ")",
		"eIDAS": eidas, "Selfregistered-email": email, "TestID": test, "Federated": federated, "Entra": work, "pwd": password,
	}
}

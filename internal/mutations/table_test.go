package mutations

import "iter"

// defect is a careless change: old becomes new in file, and a test must fail then.
type defect struct {
	breaks   string // what the provider does with it, against its rule
	file     string
	old, new string
	by       []suite // the tests that must notice it, in the order in which they run
}

// suite is a set of tests of a package.
type suite struct {
	pkg   string   // "" is the package of the file with the defect
	tests []string // none: all of the package
}

// tests returns the tests that must notice a defect.
func tests(pkg string, names ...string) []suite { return []suite{{pkg, names}} }

// then returns the package of the file, and the packages whose tests run if its own tests do not notice the defect.
func then(packages ...string) []suite {
	s := []suite{{}}
	for _, pkg := range packages {
		s = append(s, suite{pkg: pkg})
	}
	return s
}

const walk = "internal/walk"

// area is a part of the provider with its defects.
type area struct {
	name    string
	strict  bool // every defect must be noticed
	defects []defect
}

var areas = []area{
	{"redirect URIs", true, redirectDefects},
	{"PKCE", true, pkceDefects},
	{"sessions", true, sessionDefects},
	{"pseudonymity", true, pseudonymityDefects},
	{"consents", false, consentDefects},
	{"logout", false, logoutDefects},
	{"pushed requests", false, pushedDefects},
	{"signed requests and responses", false, signedDefects},
	{"codes", true, codeDefects},
	{"refresh tokens", true, refreshDefects},
	{"claims of tokens", false, claimsDefects},
	{"scopes", false, scopesDefects},
	{"authorization_details", false, detailsDefects},
	{"exchanges of tokens", false, exchangeDefects},
	{"APIs", false, resourceDefects},
	{"client authentication", true, clientauthDefects},
	{"DPoP", true, dpopDefects},
	{"stores", true, storeDefects},
	{"profiles", false, profileDefects},
	{"keys", false, keysDefects},
	{"discovery", false, discoveryDefects},
	{"limits", false, limitsDefects},
	{"Maskinporten", false, maskinportenDefects},
	{"Altinn", false, altinnDefects},
	{"HelseID", false, helseidDefects},
	{"Ansattporten", false, ansattportenDefects},
	{"administration", false, administrationDefects},
	{"portnertest", false, portnertestDefects},
	{"telemetry", false, telemetryDefects},
}

// all returns every defect with its area.
func all() iter.Seq2[area, defect] {
	return func(yield func(area, defect) bool) {
		for _, a := range areas {
			for _, d := range a.defects {
				if !yield(a, d) {
					return
				}
			}
		}
	}
}

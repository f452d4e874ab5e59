package archtest_test

// The layers of the module. Imports point down, and not to a package of the same layer.
//
//	L3  provider, and digdir/ansattporten on top of it; digdir/{maskinporten,altinn,authorizations}, exchange
//	L2  authorize  token  logout  discovery  resource
//	L1  session  client  keyset  rar  dpop
//	L0  portner  pkce  scope  pseudonym  acr  norway  storage
var (
	policies = []string{".", "pkce", "scope", "pseudonym", "acr", "norway"}
	l0       = append([]string{"storage"}, policies...)
	l1       = []string{"session", "client", "keyset", "rar", "dpop"}
	l2       = []string{"authorize", "token", "logout", "discovery", "resource"}
	helpers  = []string{"internal/audit", "internal/commit", "internal/display", "internal/fields", "internal/httpx", "internal/jose", "internal/protection", "internal/requested", "internal/seal"}
)

// standins are the servers that portnertest runs, and the reader of their configuration files.
var standins = []string{
	"internal/standin", "internal/standin/altinn", "internal/standin/ansattporten", "internal/standin/helseid", "internal/standin/idporten",
	"internal/standin/maskinporten", "internal/standin/strictjson",
}

// rule says what a package may import beside the standard library.
type rule struct {
	own     []string // packages of this repository
	third   []string // import path prefixes of others
	testing bool     // it may import testing
}

// layers returns the rule of each package of the module. A package without a rule is reported.
func layers() map[string]rule {
	table := map[string]rule{
		"storage":               {own: policies},
		"storage/memory":        {own: []string{"storage", "internal/fields", "internal/record"}},
		"storage/combined":      {own: []string{"storage", "provider", "internal/fields"}},                                                   // provider for the interface
		"storage/storagetest":   {own: concat(l0, l1, l2, []string{"provider", "digdir/authorizations", "internal/history"}), testing: true}, // for the interfaces of stores
		"client/businesscert":   {own: []string{".", "norway", "internal/fields"}},                                                           // a leaf of L1
		"provider":              {own: concat(l0, l1, l2, helpers, []string{"client/businesscert", "internal/orgclaims"})},
		"exchange":              {own: concat(l0, l1, l2, helpers)},
		"digdir/authorizations": {own: concat(l0, l1, l2, helpers)},
		"digdir/altinn":         {own: concat(l0, l1, l2, helpers)},
		"digdir/maskinporten":   {own: concat(l0, l1, l2, helpers, []string{"client/businesscert", "internal/orgclaims"})},
		"nhn/helseid":           {own: concat(l0, l1, l2, helpers, []string{"provider"})}, // a profile with a grant handler
		"digdir/ansattporten":   {own: concat(l0, l1, l2, helpers, []string{"provider"})}, // a profile

		"portnertest": {own: concat(l0, l1, l2, helpers, []string{"provider", "digdir/maskinporten", "digdir/ansattporten", "digdir/altinn", "nhn/helseid", "storage/memory"}, standins), testing: true},

		"internal/archtest":   {}, // tests only
		"internal/audit":      {own: l0},
		"internal/bound":      {own: concat(l0, []string{"dpop", "internal/httpx", "internal/jose"})}, // for the packages of L2 and L3
		"internal/canary":     {own: []string{".", "norway"}, testing: true},
		"internal/commit":     {},
		"internal/display":    {},
		"internal/explore":    {own: concat(l0, l1, l2, []string{"provider"}), testing: true}, // for the interfaces of stores
		"internal/fields":     {own: []string{"."}},
		"internal/history":    {own: concat(l0, l1, l2, []string{"provider"}), third: []string{"github.com/anishathalye/porcupine"}}, // for storagetest and experiments
		"internal/httpx":      {own: concat(l0, []string{"internal/seal"})},
		"internal/localdb":    {}, // not testing: examples and experiments import it
		"internal/jose":       {own: l0, third: []string{jwx + "/jwa", jwx + "/jws"}},
		"internal/orgclaims":  {own: []string{"client", "norway", "token"}}, // for the packages of L3 with Norwegian claims
		"internal/optest":     {own: concat(l0, l1, l2, helpers, []string{"internal/canary", "provider", "storage/memory"}), testing: true},
		"internal/protection": {own: l0},
		"internal/record":     {own: []string{"storage"}},
		"internal/requested":  {},
		"internal/seal":       {own: l0},
		"internal/slow":       {testing: true},
		"internal/testpki":    {}, // not testing: an example imports it

		"internal/standin/admin":      {own: concat(l0, l1, helpers, []string{"digdir/authorizations", "internal/standin/changes"})},
		"internal/standin/changes":    {own: concat(l0, []string{"internal/seal"})},
		"internal/standin/systemuser": {own: concat(l0, helpers, []string{"resource", "internal/standin/changes"})},

		"internal/mutations": {}, // tests only
		"internal/walk":      {}, // tests only
	}
	for _, p := range policies {
		table[p] = rule{}
	}
	table["scope"] = rule{own: []string{".", "internal/display", "internal/fields"}} // for the field errors of a registry
	for _, p := range l1 {
		table[p] = rule{own: concat(l0, helpers)}
	}
	table["client"] = rule{own: concat(l0, helpers, []string{"client/businesscert"})}
	for _, p := range l2 {
		table[p] = rule{own: concat(l0, l1, helpers, []string{"internal/bound"})}
	}
	for _, p := range []string{"cores", "embed", "grant", "policies", "profile", "resource", "store"} { // programs of hosts
		table["internal/callers/"+p] = rule{own: concat(l0, l1, l2, []string{"provider", "storage/memory"})}
	}
	// The stand-ins are programs' code on top of the whole module.
	core := concat(l0, l1, l2, helpers, []string{"provider", "exchange", "storage/memory", "client/businesscert", "digdir/authorizations", "internal/testpki"})
	table["internal/standin"] = rule{own: concat(core, []string{"internal/standin/admin", "internal/standin/changes", "internal/standin/look", "internal/standin/strictjson"})}
	table["internal/standin/look"] = rule{own: []string{"internal/httpx"}}
	table["internal/standin/strictjson"] = rule{own: []string{".", "internal/fields"}}
	table["internal/standin/standintest"] = rule{own: concat(l0, []string{"keyset", "internal/canary", "internal/standin"}), testing: true}
	for name, profile := range map[string]string{
		"idporten": "exchange", "maskinporten": "digdir/maskinporten", "altinn": "digdir/altinn", "ansattporten": "digdir/ansattporten", "helseid": "nhn/helseid",
	} {
		table["internal/standin/"+name] = rule{own: concat(core, []string{"internal/standin", "internal/standin/admin", "internal/standin/look", profile})}
	}
	table["internal/standin/krr"] = rule{own: concat(core, []string{"internal/standin"})}
	altinn := table["internal/standin/altinn"]
	altinn.own = concat(altinn.own, []string{"internal/standin/changes", "internal/standin/systemuser"})
	table["internal/standin/altinn"] = altinn
	table["internal/standin/compat"] = rule{own: concat(core, []string{"internal/standin", "internal/standin/strictjson"})}
	table["resource"] = rule{own: concat(l0, helpers, []string{"dpop", "internal/bound"})} // an API does not need the packages of a provider
	return table
}

// jwx is the library for JOSE. Its version 2 is no longer maintained, and GHSA-4cf7-xm37-g63h, of names that its encoders write without
// escaping, is not fixed in it.
const jwx = "github.com/lestrrat-go/jwx/v2"

// jwxNames are the only names of jwx that are used outside tests: the verification of a signature over bytes. No encoder and no parser
// of jwx is called.
var jwxNames = map[string][]string{"jwa": {"SignatureAlgorithm"}, "jws": {"NewVerifier", "Verifier"}}

// unlayered holds the directories without layers: they are modules with their own dependencies.
var unlayered = []string{"bench", "examples", "reliability", "storage/postgres", "storage/redis", "storage/sqlite", "telemetry"}

// testThird holds what test files may import in addition to their package. The layers do not apply to test files.
var testThird = map[string][]string{
	"":              {"github.com/stretchr/testify"}, // every package
	"internal/jose": {jwx},                           // compares with jwx
	"dpop":          {jwx},                           // compares with jwx
	"keyset":        {jwx},                           // verifies tokens and key sets independently
}

// excused holds accepted violations with the reason.
var excused = map[excuse]string{
	{"logout/endpoint.go", "template"}:         "a registered post_logout_redirect_uri; html/template rejects the custom scheme of a native client",
	{"internal/history/batch.go", "math/rand"}: "a seed repeats the calls of a test",
	{"internal/standin/secrets.go", "seal"}:    "secrets of a program for its own pseudonyms: nothing is sealed with them",
	{"internal/commit/commit.go", "clock"}:     "the deadline of a context is one of real time, as in package context",
	{"internal/history/history.go", "clock"}:   "calls are ordered by when they were made, whatever now they pass down",
	{"internal/slow/slow.go", "clock"}:         "it measures how long a call of a test takes",
}

type excuse struct{ file, rule string }

// program reports whether a directory holds programs, which have a clock and a logger of their own.
func program(dir string) bool {
	return under(dir, "bench") || under(dir, "examples") || under(dir, "internal/callers") || under(dir, "internal/standin") || under(dir, "reliability") ||
		under(dir, "storage/postgres/cmd") || under(dir, "storage/postgres/internal/example")
}

// documented reports whether a directory holds packages that a host can import. Comments of their exported names refer to public documents
// only, and their fields need comments too.
var documented = func(dir string) bool {
	return !under(dir, "internal") && !under(dir, "examples") && !under(dir, "reliability")
}

// labelsBefore is the number of labels that did not resolve at commit 0f683ce, before the rule "label" existed.
const labelsBefore = 1203

package explore

import "fmt"

// op is a call of a method. Its records have short names.
type op struct {
	verb   string
	record string // the session, code, token, request, jti or key that the method is about
	next   string // the session or refresh token that takes its place
	n      int    // a version or a number
	visit  bool   // of the session
	limit  int    // of sessions
}

// String returns the call as it is printed in a trace.
func (o op) String() string {
	switch o.verb {
	case "ReplaceSession":
		if o.limit > 0 {
			return fmt.Sprintf("ReplaceSession none -> %s, limit %d", o.next, o.limit)
		}
		if o.record == "" {
			return "ReplaceSession none -> " + o.next
		}
		return fmt.Sprintf("ReplaceSession %s -> %s, version %d", o.record, o.next, o.n)
	case "RedeemCode", "RotateRefreshToken":
		if o.next == "" {
			return o.verb + " " + o.record + ", no refresh token"
		}
		return o.verb + " " + o.record + " -> " + o.next
	case "FinishRequest":
		if o.visit {
			return "FinishRequest " + o.record + ", visit"
		}
	case "Consent":
		return fmt.Sprintf("Consent in request %s, version %d", o.record, o.n)
	case "Decline":
		return "Decline in request " + o.record
	case "InsertSigningKey":
		return fmt.Sprintf("InsertSigningKey %s, number %d", o.record, o.n)
	}
	if o.record == "" {
		return o.verb
	}
	return o.verb + " " + o.record
}

// codes are the codes of the scenarios, and a grant without a code. The grant of a code has its name.
var codes = map[string]struct {
	session   string // ID
	loginOnly bool
}{"login": {"s", true}, "data": {"s", false}, "direct": {"s", true}}

// sessionOf returns the ID of the session that has a hash: S and T are hashes of session s, and N is the hash of session n.
func sessionOf(hash string) string {
	if hash == "N" {
		return "n"
	}
	return "s"
}

// Ends of records, in seconds. The rest of a code's request is recognised for longer than any scenario takes.
const (
	firstEnd   = 60 // no record ends before
	codeEnd    = 60
	singleEnd  = 60 // of pushed requests and jtis
	sessionEnd = 100
	grantEnd   = 110
	retainEnd  = 1000
	grace      = 30

	consentLife = 60
)

// accessEnd returns the end of the access tokens of a grant. Those of a login would end after their grant.
func accessEnd(grant string) int {
	if grant == "login" {
		return 150
	}
	return 90
}

// refreshEnd returns the end of a generation.
func refreshEnd(generation int) int { return 80 + 20*generation }

// generation returns the generation of a refresh token: r1 and x1 are two tokens of generation 1.
func generation(name string) int { return int(name[1] - '0') }

// offsets are those of the clocks of the two nodes.
var offsets = [2]int{0, -20}

// scenario is what the nodes may do. Node A makes the calls of setup first.
type scenario struct {
	name   string
	setup  []op
	ops    []op
	tick   int // step of the clock
	probes []op
	// less is how many steps fewer than asked are explored, because there are more verbs.
	less int
}

var openSession = op{verb: "ReplaceSession", next: "S"}

var scenarios = []scenario{
	{
		name: "codes and logout", tick: 35, setup: []op{openSession},
		ops: []op{
			{verb: "FinishRequest", record: "login"},
			{verb: "FinishRequest", record: "data"},
			{verb: "RedeemCode", record: "login", next: "r0"},
			{verb: "RedeemCode", record: "data"},
			{verb: "BurnCode", record: "login"},
			{verb: "Revoke", record: "login"},
			{verb: "RevokeAuthorization"},
			{verb: "EndSession", record: "S"},
			{verb: "Sweep"},
		},
		probes: []op{
			{verb: "Session", record: "S"},
			{verb: "Code", record: "login"},
			{verb: "Code", record: "data"},
			{verb: "Grants", record: "login"},
			{verb: "AccessToken", record: "login.0"},
			{verb: "AccessToken", record: "data.0"},
			{verb: "RefreshToken", record: "r0"},
		},
	},
	{
		name: "refresh tokens", tick: 28,
		setup: []op{openSession, {verb: "FinishRequest", record: "login"}, {verb: "RedeemCode", record: "login", next: "r0"}},
		ops: []op{
			{verb: "RotateRefreshToken", record: "r0", next: "r1"},
			{verb: "RotateRefreshToken", record: "r0", next: "x1"},
			{verb: "RotateRefreshToken", record: "r0"},
			{verb: "RotateRefreshToken", record: "r1", next: "r2"},
			{verb: "RotateRefreshToken", record: "r1", next: "r1"},
			{verb: "Revoke", record: "login"},
			{verb: "EndSession", record: "S"},
			{verb: "Sweep"},
		},
		probes: []op{
			{verb: "RefreshToken", record: "r0"},
			{verb: "RefreshToken", record: "r1"},
			{verb: "RefreshToken", record: "x1"},
			{verb: "RefreshToken", record: "r2"},
			{verb: "AccessToken", record: "login.0"},
			{verb: "AccessToken", record: "login.1"},
			{verb: "AccessToken", record: "login.2"},
			{verb: "Grants", record: "login"},
		},
	},
	{
		name: "sessions", tick: 60, less: 1,
		setup: []op{openSession, {verb: "FinishRequest", record: "login"}},
		ops: []op{
			{verb: "ReplaceSession", record: "S", next: "S"},
			{verb: "ReplaceSession", record: "S", next: "T"},
			{verb: "ReplaceSession", record: "T", next: "T", n: 1},
			{verb: "ReplaceSession", record: "S", next: "N"},
			{verb: "ReplaceSession", next: "N", limit: 1},
			{verb: "EndSession", record: "S"},
			{verb: "EndSession", record: "T"},
			{verb: "FinishRequest", record: "data", visit: true},
			{verb: "RedeemCode", record: "login", next: "r0"},
			{verb: "Sweep"},
		},
		probes: []op{
			{verb: "Session", record: "S"},
			{verb: "Session", record: "T"},
			{verb: "Session", record: "N"},
			{verb: "Code", record: "login"},
			{verb: "Code", record: "data"},
			{verb: "AccessToken", record: "login.0"},
		},
	},
	{
		name: "grants without a code", tick: 35, setup: []op{openSession},
		ops: []op{
			{verb: "InsertGrant", record: "direct"},
			{verb: "EndSession", record: "S"},
			{verb: "Revoke", record: "direct"},
			{verb: "RevokeAuthorization"},
			{verb: "Sweep"},
		},
		probes: []op{
			{verb: "Grants", record: "direct"},
			{verb: "AccessToken", record: "direct.0"},
		},
	},
	{
		name: "consents", tick: 35,
		ops: []op{
			{verb: "Consent", record: "1", n: 1},
			{verb: "Consent", record: "2", n: 1},
			{verb: "Consent", record: "3", n: 2},
			{verb: "Decline", record: "4"},
			{verb: "RevokeAuthorization"},
			{verb: "Sweep"},
		},
		probes: []op{{verb: "Consents"}},
		less:   1,
	},
	{
		name: "pushed requests and assertions", tick: 35,
		ops: []op{
			{verb: "PushRequest", record: "p"},
			{verb: "ConsumePushedRequest", record: "p"},
			{verb: "ConsumeJTI", record: "j"},
			{verb: "ConsumeJTI", record: "k"},
			{verb: "Sweep"},
		},
		probes: []op{{verb: "PushedRequest", record: "p"}},
	},
	{
		name: "signing keys", tick: 35,
		ops: []op{
			{verb: "InsertSigningKey", record: "a", n: 1},
			{verb: "InsertSigningKey", record: "b", n: 1},
			{verb: "InsertSigningKey", record: "b", n: 2},
			{verb: "InsertSigningKey", record: "c", n: 2},
			{verb: "DeleteSigningKey", record: "a"},
			{verb: "DeleteSigningKey", record: "b"},
		},
		probes: []op{{verb: "SigningKeys"}},
	},
}

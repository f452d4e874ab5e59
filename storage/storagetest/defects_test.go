package storagetest_test

import (
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/storagetest"
)

// Each defect must be rejected by the cases named beside it, and perhaps others.
var defects = map[string][]string{
	"redeem reads, then marks":              {"Race/one code", "Race/code replayed"},
	"rotate reads, then marks":              {"Race/one refresh token"},
	"replace reads, then writes":            {"Race/replace session"},
	"FinishRequest looks, then writes":      {"Race/one code per request"},
	"a pushed request is read, then marked": {"PushedRequest/race"},
	"a jti is looked up, then written":      {"JTI/race"},
	"consents one by one":                   {"Consent/race"},
	"consumes, then inserts":                {"Cancelled/in the middle", "RedeemCode/conflict leaves nothing behind", "RotateRefreshToken/conflict leaves nothing behind"},
	"EndSession stops half-way":             {"Cancelled/in the middle"},
	"ignores the context":                   {"Cancelled/before the start", "PushedRequest/cancelled", "Consent/cancelled", "JTI/cancelled"},
	"half an insert stays":                  {"RedeemCode/conflict leaves nothing behind", "RotateRefreshToken/conflict leaves nothing behind"},
	"upserts sessions":                      {"Session/create never overwrites"},
	"upserts codes":                         {"Code/create never overwrites"},
	"upserts refresh tokens":                {"RedeemCode/conflict leaves nothing behind"},
	"upserts pushed requests":               {"PushedRequest/create never overwrites"},
	"rotation overwrites":                   {"Session/rotation never overwrites"},
	"valid at the very end":                 {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary", "PushedRequest/expiry boundary", "Consent/expiry boundary"},
	"one nanosecond short":                  {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary", "PushedRequest/expiry boundary", "Consent/expiry boundary"},
	"its own clock":                         {"Session/expiry boundary", "Code/expiry boundary"},
	"microseconds":                          {"Session/round trip"},
	"shares slices":                         {"Session/copies", "Code/copies", "RedeemCode/copies", "PushedRequest/copies"},
	"tokens outlive their grant":            {"Grant/expiry boundary", "RotateRefreshToken/never extends the grant"},
	"forgets used codes":                    {"Code/used code is recognisable", "RedeemCode/once"},
	"forgets the request with the code":     {"Code/one per request"},
	"two codes for a request":               {"Code/one per request"},
	"redeems for any grant":                 {"RedeemCode/own grant only"},
	"forgets rotated tokens":                {"RotateRefreshToken/a rotated token is recognisable"},
	"forgets the successor":                 {"RotateRefreshToken/one live generation", "RotateRefreshToken/order needs no time"},
	"rotation keeps the old token":          {"RotateRefreshToken/one live generation", "RotateRefreshToken/order needs no time"},
	"rotation writes the grant":             {"RotateRefreshToken/never extends the grant"},
	"reuse does not renew":                  {"RotateRefreshToken/reuse renews in place"},
	"revocation misses late tokens":         {"RevokeGrant/before redemption", "Race/revoke and rotate"},
	"a code survives its grant":             {"RevokeGrant/before redemption"},
	"versions not compared":                 {"Session/replace compares versions", "Race/replace session"},
	"rotation keeps the old hash":           {"Session/rotation"},
	"the user may change":                   {"Session/replace keeps the person"},
	"no session limit":                      {"Session/cap", "Race/session cap"},
	"ends the youngest session":             {"Session/cap"},
	"the limit forgets the grants":          {"Session/cap"},
	"EndSession keeps codes":                {"EndSession/codes"},
	"EndSession keeps grants":               {"EndSession/grants"},
	"EndSession revokes all grants":         {"EndSession/grants"},
	"codes after the end":                   {"EndSession/no code afterwards", "Race/end session and create code"},
	"consents of all clients":               {"Consent/user, client and customer"},
	"consents of all customers":             {"Consent/user, client and customer"},
	"consent is cut short":                  {"Consent/later expiry wins"},
	"bytes in a text column":                {"Values/bytes", "PushedRequest/values"},
	"cuts long texts":                       {"Values/texts"},
	"keys by collation":                     {"Values/keys are bytes", "Consent/keys are bytes"},
	"versions as floats":                    {"Values/numbers"},
	"instants compared as text":             {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary"},
	"the limit leaves no mark":              {"Session/cap ends whole"},
	"ended sessions count":                  {"Session/cap ends whole"},
	"the mark keeps its first end":          {"EndSession/remembered to the end"},
	"revokes through the code":              {"RevokeGrant/long after the code"},
	"collects grants with their codes":      {"RevokeGrant/long after the code", "EndSession/long after the code"},
	"reuse revives rotated tokens":          {"RotateRefreshToken/reuse revives nothing"},
	"EndSession misses late tokens":         {"Race/end session and rotate"},
	"evicts jtis":                           {"JTI/remembered to the end"},
}

// The plainest correct store passes: the suite asks for the contract, not for one store.
func TestModelPasses(t *testing.T) {
	storagetest.Run(t, func(*testing.T) provider.Store { return newModel("") })
	storagetest.RunPushedRequests(t, func(*testing.T) authorize.PushedRequestStore { return newModel("") })
	storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return newModel("") })
	storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return newModel("") })
	storagetest.RunHistory(t, func(*testing.T) storagetest.HistoryStore { return newModel("") })
}

// The negative control: the suite rejects every broken store, by the cases made for its defect.
func TestSuiteRejectsBrokenStores(t *testing.T) {
	for defect, cases := range defects {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			for _, name := range cases {
				switch storagetest.Judge(name, func() storagetest.FullStore { return newModel(defect) }) {
				case storagetest.Unknown:
					t.Errorf("there is no case %q", name)
				case storagetest.Passed:
					t.Errorf("case %q passes a store with this defect", name)
				}
			}
		})
	}
}

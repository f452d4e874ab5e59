package storagetest_test

import (
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/storagetest"
)

// defects names the cases that must reject each defect of a store. Other cases may reject it, too.
var defects = map[string][]string{
	"redeem reads, then marks":                       {"Race/one code", "Race/one code, then revoke"},
	"rotate reads, then marks":                       {"Race/one refresh token"},
	"replace reads, then writes":                     {"Race/replace session"},
	"FinishRequest looks, then writes":               {"Race/one code per request"},
	"a pushed request is read, then marked":          {"PushedRequest/race"},
	"a jti is looked up, then written":               {"JTI/race"},
	"consents one by one":                            {"Consent/race"},
	"consumes, then inserts":                         {"Cancelled/in the middle", "RedeemCode/conflict leaves nothing behind", "RotateRefreshToken/conflict leaves nothing behind"},
	"EndSession stops half-way":                      {"Cancelled/in the middle"},
	"ignores the context":                            {"Cancelled/before the start", "PushedRequest/cancelled", "Consent/cancelled", "JTI/cancelled"},
	"half an insert stays":                           {"RedeemCode/conflict leaves nothing behind", "RotateRefreshToken/conflict leaves nothing behind"},
	"upserts sessions":                               {"Session/insert never overwrites"},
	"upserts codes":                                  {"FinishRequest/never overwrites"},
	"upserts refresh tokens":                         {"RedeemCode/conflict leaves nothing behind"},
	"upserts pushed requests":                        {"PushedRequest/insert never overwrites"},
	"rotation overwrites":                            {"Session/rotation never overwrites"},
	"valid at the very end":                          {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary", "PushedRequest/expiry boundary", "Consent/expiry boundary", "JTI/expired"},
	"one nanosecond short":                           {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary", "PushedRequest/expiry boundary", "Consent/expiry boundary", "JTI/expired"},
	"its own clock":                                  {"Session/expiry boundary", "Code/expiry boundary"},
	"microseconds":                                   {"Session/round trip"},
	"one identity for all circles":                   {"Session/round trip"},
	"loses the actor token":                          {"Code/round trip"},
	"shares slices":                                  {"Session/copies", "Code/copies", "RedeemCode/copies", "PushedRequest/copies"},
	"tokens outlive their grant":                     {"Grant/expiry boundary", "RotateRefreshToken/never extends the grant"},
	"forgets used codes":                             {"Code/used code is recognisable", "RedeemCode/once"},
	"forgets the request with the code":              {"FinishRequest/one outcome per request"},
	"two codes for a request":                        {"FinishRequest/one outcome per request"},
	"redeems for any grant":                          {"RedeemCode/own grant only"},
	"forgets rotated tokens":                         {"RotateRefreshToken/a rotated token is recognisable"},
	"forgets the successor":                          {"RotateRefreshToken/one live generation", "RotateRefreshToken/one instant"},
	"rotation keeps the old token":                   {"RotateRefreshToken/one live generation", "RotateRefreshToken/one instant"},
	"rotation writes the grant":                      {"RotateRefreshToken/never extends the grant"},
	"reuse does not renew":                           {"RotateRefreshToken/renewal"},
	"revocation misses late tokens":                  {"Revoke/before redemption", "Race/revoke and rotate"},
	"a code survives its grant":                      {"Revoke/before redemption"},
	"versions not compared":                          {"Session/replace compares versions", "Race/replace session"},
	"newer versions replace":                         {"Session/unknown version"},
	"a rejected change prolongs":                     {"Session/rejected change"},
	"a rejected change prolongs for codes":           {"Session/rejected change"},
	"Session finds the ID, then reads":               {"Race/rotation and reads"},
	"rotation keeps the old hash":                    {"Session/rotation"},
	"the user may change":                            {"Session/replace keeps the user"},
	"no session limit":                               {"Session/limit", "Race/session limit"},
	"ends the youngest session":                      {"Session/limit"},
	"the limit forgets the grants":                   {"Session/limit"},
	"EndSession keeps codes":                         {"EndSession/codes"},
	"EndSession keeps grants":                        {"EndSession/grants"},
	"EndSession revokes all grants":                  {"EndSession/grants"},
	"codes after the end":                            {"EndSession/no code after it", "Race/end session and finish request"},
	"consents of all clients":                        {"Consent/user, client and customer"},
	"consents of all customers":                      {"Consent/user, client and customer"},
	"consent is cut short":                           {"Consent/later expiry wins"},
	"a renewed consent begins anew":                  {"Consent/later expiry wins"},
	"an expired consent goes on":                     {"Consent/renewed after expiry"},
	"bytes in a text column":                         {"Values/bytes", "PushedRequest/values"},
	"cuts long texts":                                {"Values/texts"},
	"keys by collation":                              {"Values/keys are bytes", "Consent/keys are bytes"},
	"versions as floats":                             {"Values/numbers"},
	"instants compared as text":                      {"Session/expiry boundary", "Code/expiry boundary", "AccessToken/expiry boundary", "Grant/expiry boundary", "RefreshToken/expiry boundary"},
	"ended sessions count":                           {"Session/limit ends sessions as a whole"},
	"revokes through the code":                       {"Revoke/long after the code"},
	"collects grants with their codes":               {"Revoke/long after the code", "EndSession/long after the code"},
	"reuse revives rotated tokens":                   {"RotateRefreshToken/renewal of ended tokens"},
	"EndSession misses late tokens":                  {"Race/end session and rotate"},
	"no visits":                                      {"Visit/with the code", "Cancelled/in the middle", "Changes/FinishRequest"},
	"visits by the hash":                             {"Visit/rotated session", "Race/visits and rotations"},
	"visits without a code":                          {"Visit/without a session"},
	"a visit before the verdict":                     {"Visit/rejected outcome"},
	"a visit is a second step":                       {"Race/visits and end session"},
	"a visit reads, then writes":                     {"Race/visits", "Race/visits and rotations"},
	"a visit revives the session":                    {"Visit/ended session"},
	"a visit keeps the version":                      {"Visit/conflicts with older reads", "Race/visits and rotations"},
	"a visit sets instants back":                     {"Visit/fields only grow"},
	"a visit shortens the session":                   {"Visit/fields only grow"},
	"a visit prolongs nothing":                       {"Visit/prolongs"},
	"a visit forgets the client":                     {"Visit/with the code", "Race/visits"},
	"a visit adds the client again":                  {"Visit/fields only grow", "Visit/retry"},
	"a visit renews the login":                       {"Visit/fields only grow"},
	"a visit opens the client":                       {"Visit/open is only lost"},
	"open is never lost":                             {"Visit/open is only lost"},
	"a login has no retry":                           {"Session/retry", "Race/equal sessions"},
	"a switch keeps the old session":                 {"Session/switch", "Race/switch and redeem"},
	"a switch is two steps":                          {"Cancelled/in the middle"},
	"reuses the IDs of ended sessions":               {"Session/ended sessions are reserved"},
	"reuses the hashes of ended sessions":            {"Session/ended sessions are reserved", "Session/the last 16 are reserved"},
	"rotates to the hash of an ended session":        {"Session/ended sessions are reserved"},
	"reserves the last ended session only":           {"Session/the last 16 are reserved"},
	"grants in sessions of others":                   {"FinishRequest/live session", "InsertGrant/session"},
	"grants in unknown sessions":                     {"FinishRequest/live session", "InsertGrant/session"},
	"grants in expired sessions":                     {"FinishRequest/session expiry boundary", "InsertGrant/session"},
	"every second outcome is equal":                  {"FinishRequest/other outcome", "FinishRequest/consumed code"},
	"no outcome is equal":                            {"FinishRequest/equal outcome", "Race/equal outcomes"},
	"a consumed code is handed out again":            {"FinishRequest/consumed code"},
	"a retry answers again":                          {"FinishRequest/equal outcome"},
	"forgets denials":                                {"FinishRequest/denial is recognised", "FinishRequest/other outcome"},
	"consents before the verdict":                    {"FinishRequest/one step"},
	"consents in a second step":                      {"Cancelled/in the middle"},
	"keeps declined consents":                        {"Consent/declined"},
	"declines for every customer":                    {"Consent/user, client and customer"},
	"versions of consents not compared":              {"Consent/other version"},
	"redemption changes the user":                    {"RedeemCode/same authorization"},
	"no retry":                                       {"RotateRefreshToken/retry", "Race/retries"},
	"a retry gets any successor":                     {"RotateRefreshToken/retry with another successor"},
	"a retry rewrites the successor":                 {"RotateRefreshToken/retry"},
	"grace has no end":                               {"RotateRefreshToken/retry boundary"},
	"a retry after the successor was used":           {"RotateRefreshToken/retry after use", "Race/retry and use"},
	"a retry of a token whose successor has expired": {"RotateRefreshToken/retry after use"},
	"accepts any revocation":                         {"Revoke/invalid"},
	"revokes all clients":                            {"Revoke/authorization"},
	"revokes all customers":                          {"Revoke/authorization"},
	"revocation keeps consents":                      {"Revoke/authorization"},
	"revokes in two steps":                           {"Cancelled/in the middle"},
	"lists other users":                              {"Grants/live"},
	"ignores the page of a query for one grant":      {"Grants/one"},
	"finds the grant of a code":                      {"Grants/one"},
	"finds expired grants":                           {"Grants/one"},
	"finds revoked grants":                           {"Grants/one"},
	"finds grants of other users":                    {"Grants/one"},
	"lists codes":                                    {"Grants/live"},
	"lists revoked grants":                           {"Grants/live"},
	"lists the oldest first":                         {"Grants/live", "Grants/pages"},
	"pages have no limit":                            {"Grants/pages"},
	"repeats the last grant of a page":               {"Grants/pages"},
	"a limit of 0 is no limit":                       {"Grants/limit"},
	"a page of any size":                             {"Grants/limit"},
	"revoked grants shorten the page":                {"Grants/ended grants are passed over"},
	"an unknown position is the start":               {"Grants/position"},
	"forgets the position with the grant":            {"Grants/position"},
	"InsertGrant looks, then writes":                 {"InsertGrant/race"},
	"upserts grants":                                 {"InsertGrant/conflict"},
	"grants after the end":                           {"InsertGrant/session"},
	"a login is recorded twice":                      {"Logins/one entry for each ID", "Logins/race"},
	"logins of all users share their IDs":            {"Logins/one entry for each ID"},
	"the IDs of logins never expire":                 {"Logins/one entry for each ID"},
	"RecordLogin looks, then writes":                 {"Logins/race"},
	"logins of all users":                            {"Logins/order"},
	"logins oldest first":                            {"Logins/order"},
	"codes of live grants":                           {"FinishRequest/keys in use", "InsertGrant/keys in use"},
	"evicts jtis":                                    {"JTI/recognised to the end"},
	"limits by 31 bytes of the user":                 {"Values/user keys are whole"},
	"admits by 31 bytes of the user":                 {"Values/user keys are whole"},
	"revokes by 31 bytes of the user":                {"Values/user keys are whole"},
	"lists by 31 bytes of the user":                  {"Values/user keys are whole"},
	"consents by 31 bytes of the user":               {"Values/user keys are whole"},
	"seconds of 32 bits":                             {"Values/instants"},
	"revokes clients by collation":                   {"Values/similar owners"},
	"revokes customers by collation":                 {"Values/similar owners"},
	"positions by collation":                         {"Values/similar owners"},
	"rotation shares slices":                         {"RotateRefreshToken/copies"},
	"rotates to older tokens":                        {"RotateRefreshToken/an older generation"},
	"revoked grants never expire":                    {"Revoke/expired grants"},
	"rotated before revoked":                         {"Revoke/expired grants"},
	"forgets the request before the code":            {"FinishRequest/outlived by the code"},
	"pushed requests by 31 bytes":                    {"PushedRequest/hashes are whole"},
	"consumes pushed requests by 31 bytes":           {"PushedRequest/hashes are whole"},
	"jtis by 31 bytes":                               {"JTI/keys are whole"},
	"jtis of each client":                            {"JTI/keys are whole"},
	"records logins of cancelled calls":              {"Logins/cancelled"},
	"logins by 31 bytes of the user":                 {"Logins/user keys are whole"},
	"logins by collation":                            {"Logins/user keys are whole"},
	"deletes jtis at once":                           {"JTI/clocks differ"},
	"upserts signing keys":                           {"SigningKey/never overwrites", "SigningKey/race"},
	"looks for a signing key, then writes":           {"SigningKey/race"},
	"frees the number of a deleted key":              {"SigningKey/deleted", "SigningKey/race with delete"},
	"signing keys of one set":                        {"SigningKey/sets are apart"},
	"signing keys unordered":                         {"SigningKey/round trip"},
}

// The simplest correct store passes.
func TestModelPasses(t *testing.T) {
	storagetest.Run(t, func(*testing.T) provider.Store { return newModel("") })
	storagetest.RunPushedRequests(t, func(*testing.T) authorize.PushedRequestStore { return newModel("") })
	storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return newModel("") })
	storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return newModel("") })
	storagetest.RunHistory(t, func(*testing.T) storagetest.HistoryStore { return newModel("") })
	storagetest.RunSigningKeys(t, func(*testing.T) keyset.Store { return newModel("") })
}

// The suite rejects each broken store by the cases that check the rule it breaks.
func TestSuiteRejectsBrokenStores(t *testing.T) {
	slow.WithoutRaceDetector(t)
	if testing.Short() {
		t.Skip("races need their rounds")
	}
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

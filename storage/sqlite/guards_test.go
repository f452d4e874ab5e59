package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/portner-go/portner/internal/explore"
	"github.com/portner-go/portner/internal/slow"
)

// guards are conditions of this package, and changes that its statements make.
var guards = []explore.Guard{
	{"code.go", "case consumed:\n\t\treturn code,", "case !dropped(\"a code is used once\") && consumed:\n\t\treturn code,"},
	{"code.go", "!consumed && !now.Before(code.ExpiresAt)", `!dropped("a code expires") && !consumed && !now.Before(code.ExpiresAt)`},
	{"code.go", "case o.Code != nil && !redeemable:", `case !dropped("a used code is no equal outcome") && o.Code != nil && !redeemable:`},
	{"code.go", "!st.ColumnBool(1) && now.Before(timeAt(st, 2))", `!st.ColumnBool(1) && (dropped("an expired code is no equal outcome") || now.Before(timeAt(st, 2)))`},
	{"session.go", "if err == nil && !live {", `if err == nil && !live && !dropped("a code needs a live session") {`},
	{"session.go", "if from.Version != next.Version ||", `if !dropped("a replacement compares versions") && from.Version != next.Version ||`},
	{"session.go", "if from != nil {\n\t\tif err", "if from != nil {\n\t\tif dropped(\"a switch ends the old session\") {\n\t\t} else if err"},
	{"session.go", "if limit < 1 {", `if dropped("the session limit") || limit < 1 {`},
	{"session.go", `" = ?1 AND ended = 0 AND expires_at > ?2"`, `" = ?1"+unless("a session that has ended is not found", " AND ended = 0", "")+unless("a session that has expired is not found", " AND expires_at > ?2", " AND ?2")`},
	{"session.go", `AND consumed = 0 AND session_id <> ''"`, `AND consumed = 0 AND session_id <> ''"+unless("a code ends with its session", "", " AND 0")`},
	{"session.go", `AND login_only = 1 AND session_id <> ''"`, `"+unless("other grants do not end with the session", "AND login_only = 1 ", "")+"AND session_id <> ''"+unless("a login ends with its session", "", " AND 0")`},
	{"grant.go", `"UPDATE codes SET consumed = 1 WHERE grant_id = ?1"`, `"UPDATE codes SET consumed = 1 WHERE grant_id = ?1"+unless("a revocation consumes the code", "", " AND 0")`},
	{"grant.go", `"UPDATE grants SET revoked = 1 WHERE id = ?1"`, `"UPDATE grants SET revoked = 1 WHERE id = ?1"+unless("a revocation ends the grant", "", " AND 0")`},
	{"grant.go", `AND customer = ?3 AND consumed = 0"`, `AND customer = ?3 AND consumed = 0"+unless("a code ends with its authorization", "", " AND 0")`},
	{"grant.go", `AND user_key IS NOT NULL"`, `AND user_key IS NOT NULL"+unless("a grant ends with its authorization", "", " AND 0")`},
	{"grant.go", `AND revoked = 0 AND expires_at > ?3", q.ID`, `"+unless("a grant that was revoked is not listed", "AND revoked = 0 ", "")+"AND expires_at > ?3", q.ID`},
	{"grant.go", `"DELETE FROM consents WHERE`, `"DELETE FROM consents WHERE"+unless("a consent ends with its authorization", "", " 0 AND")+"`},
	{"consent.go", "AND expires_at > ?4", `"+unless("a consent that has expired is not found", "AND expires_at > ?4", "AND ?4")+"`},
	{"consent.go", "CASE WHEN version = excluded.version AND expires_at > ?8 THEN", "CASE WHEN `+unless(\"a consent that is renewed keeps its instant\", \"\", \"0 AND \")+unless(\"a consent for another version is a new one\", \"version = excluded.version AND \", \"\")+unless(\"a consent that has expired is not renewed\", \"expires_at > ?8\", \"?8\")+` THEN"},
	{"consent.go", "OR expires_at < excluded.expires_at`", "OR expires_at < excluded.expires_at`+unless(\"a consent ends at the later instant\", \"\", \" OR 1\")"},
	{"consent.go", `AND scope = ?4"`, `AND scope = ?4"+unless("a declined consent ends", "", " AND 0")`},
	{"code.go", "if o.Code != nil && o.Visit != nil &&", `if !dropped("a visit changes the session") && o.Code != nil && o.Visit != nil &&`},
	{"token.go", "case revoked:\n\t\treturn t,", "case !dropped(\"a family ends with its grant\") && revoked:\n\t\treturn t,"},
	{"token.go", "case !t.ConsumedAt.IsZero():", `case !dropped("a refresh token is rotated once") && !t.ConsumedAt.IsZero():`},
	{"token.go", "!now.Before(g.ExpiresAt), t.ConsumedAt.IsZero() && !now.Before(t.ExpiresAt)", `!dropped("a refresh token ends with its grant") && !now.Before(g.ExpiresAt), !dropped("the idle lifetime") && t.ConsumedAt.IsZero() && !now.Before(t.ExpiresAt)`},
	{"token.go", "now.Sub(t.ConsumedAt) >= grace", `!dropped("a retry is made in the grace") && now.Sub(t.ConsumedAt) >= grace`},
	{"token.go", "t.Successor != i.Refresh.Hash ||", `!dropped("a retry names the same successor") && t.Successor != i.Refresh.Hash ||`},
	{"token.go", "|| t.SuccessorUsed ||", `|| !dropped("a retry finds its successor unused") && t.SuccessorUsed ||`},
	{"token.go", "expires_at = ?3, used = 1 WHERE", `expires_at = ?3"+unless("a renewal uses the token", ", used = 1", "")+" WHERE`},
	{"token.go", "case !found, !now.Before(a.ExpiresAt), !now.Before(g.ExpiresAt):", `case !found, !dropped("an access token expires") && !now.Before(a.ExpiresAt), !dropped("an access token ends with its grant") && !now.Before(g.ExpiresAt):`},
	{"token.go", "case revoked:\n\t\treturn a,", "case !dropped(\"an access token is revoked with its grant\") && revoked:\n\t\treturn a,"},
	{"optional.go", "params = NULL WHERE hash = ?1 AND consumed = 0 AND expires_at > ?2", `params = NULL WHERE hash = ?1"+unless("a pushed request is used once", " AND consumed = 0", "")+unless("a pushed request expires", " AND expires_at > ?2", " AND ?2")+"`},
	{"optional.go", "params FROM pushed_requests WHERE hash = ?1 AND consumed = 0 AND", `params FROM pushed_requests WHERE hash = ?1"+unless("a pushed request that was used is not found", " AND consumed = 0", "")+" AND`},
	{"optional.go", "SELECT 1 FROM replays WHERE key = ?1", `SELECT 1 FROM replays WHERE key = ?1"+unless("an assertion is used once", "", " AND 0")+"`},
	{"keys.go", "UPDATE signing_keys SET key = NULL WHERE", `UPDATE signing_keys SET key = "+unless("a deleted key has no private key", "NULL", "key")+" WHERE`},
}

// searches say which calls show that a guard is missing.
var searches = map[string]explore.Search{
	"a code is used once":                         {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "BurnCode"}},
	"a code expires":                              {Scenario: "sessions", Calls: []string{"RedeemCode"}},
	"a used code is no equal outcome":             {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "BurnCode"}},
	"an expired code is no equal outcome":         {Scenario: "sessions", Calls: []string{"FinishRequest data"}},
	"a code needs a live session":                 {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "EndSession"}},
	"a replacement compares versions":             {Scenario: "sessions", Calls: []string{"ReplaceSession S -> S"}},
	"a switch ends the old session":               {Scenario: "sessions", Calls: []string{"ReplaceSession S -> N"}},
	"the session limit":                           {Scenario: "sessions", Calls: []string{"ReplaceSession none"}},
	"a session that has ended is not found":       {Scenario: "sessions", Calls: []string{"EndSession S"}},
	"a session that has expired is not found":     {Scenario: "sessions", Calls: []string{"Sweep"}},
	"a code ends with its session":                {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "EndSession"}},
	"other grants do not end with the session":    {Scenario: "codes and logout", Calls: []string{"FinishRequest data", "RedeemCode data", "EndSession"}},
	"a login ends with its session":               {Scenario: "refresh tokens", Calls: []string{"EndSession"}},
	"a revocation consumes the code":              {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "Revoke login"}},
	"a revocation ends the grant":                 {Scenario: "refresh tokens", Calls: []string{"Revoke"}},
	"a code ends with its authorization":          {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "RevokeAuthorization"}},
	"a grant ends with its authorization":         {Scenario: "codes and logout", Calls: []string{"FinishRequest data", "RedeemCode data", "RevokeAuthorization"}},
	"a grant that was revoked is not listed":      {Scenario: "refresh tokens", Calls: []string{"Revoke"}},
	"a consent ends with its authorization":       {Scenario: "consents", Calls: []string{"Consent", "RevokeAuthorization"}},
	"a consent that has expired is not found":     {Scenario: "consents", Calls: []string{"Consent"}},
	"a consent that is renewed keeps its instant": {Scenario: "consents", Calls: []string{"Consent"}},
	"a consent for another version is a new one":  {Scenario: "consents", Calls: []string{"Consent"}},
	"a consent that has expired is not renewed":   {Scenario: "consents", Calls: []string{"Consent"}},
	"a consent ends at the later instant":         {Scenario: "consents", Calls: []string{"Consent"}},
	"a declined consent ends":                     {Scenario: "consents", Calls: []string{"Consent", "Decline"}},
	"a visit changes the session":                 {Scenario: "sessions", Calls: []string{"FinishRequest data"}},
	"a family ends with its grant":                {Scenario: "refresh tokens", Calls: []string{"Revoke"}},
	"a refresh token is rotated once":             {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0"}},
	"a refresh token ends with its grant":         {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0 -> r1"}},
	"the idle lifetime":                           {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0 -> r1"}},
	"a retry is made in the grace":                {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0 -> r1"}},
	"a retry names the same successor":            {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0"}},
	"a retry finds its successor unused":          {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0 -> r1", "RotateRefreshToken r1 -> r1"}},
	"a renewal uses the token":                    {Scenario: "refresh tokens", Calls: []string{"RotateRefreshToken r0 -> r1", "RotateRefreshToken r1 -> r1"}},
	"an access token expires":                     {Scenario: "codes and logout", Calls: []string{"FinishRequest data", "RedeemCode data"}},
	"an access token ends with its grant":         {Scenario: "codes and logout", Calls: []string{"FinishRequest login", "RedeemCode login"}},
	"an access token is revoked with its grant":   {Scenario: "refresh tokens", Calls: []string{"Revoke"}},
	"a pushed request is used once":               {Scenario: "pushed requests and assertions", Calls: []string{"PushRequest", "ConsumePushedRequest"}},
	"a pushed request expires":                    {Scenario: "pushed requests and assertions", Calls: []string{"PushRequest", "ConsumePushedRequest"}},
	"a pushed request that was used is not found": {Scenario: "pushed requests and assertions", Calls: []string{"PushRequest", "ConsumePushedRequest"}},
	"an assertion is used once":                   {Scenario: "pushed requests and assertions", Calls: []string{"ConsumeJTI j"}},
	"a deleted key has no private key":            {Scenario: "signing keys", Calls: []string{"InsertSigningKey a", "DeleteSigningKey a"}},
}

// TestDroppedGuards verifies that without any single guard there are calls whose verdicts are wrong. A write transaction is one step, so that
// there are no locks among the guards.
func TestDroppedGuards(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	names, traces := explore.WithoutGuards(t, ".", guards, filepath.Join("testdata", "dropped.go.txt"), searches)
	for _, name := range names {
		t.Logf("without %q\n%s", name, traces[name])
		assert.NotEmpty(t, traces[name], name)
	}
}

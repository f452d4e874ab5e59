package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/explore"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage/postgres"
)

// guards are conditions and locks of the functions: a text that occurs once in a function, and the text that takes its place. Some calls of a
// scenario of package explore show that it is missing, or a meeting does.
//
// Without three locks no verdict is wrong: end_grants and revoke_authorization lock rows before they update them only to keep the order of
// locks, and without the lock of record_login a history is longer than its bound until the next login.
var guards = []struct{ name, function, text, with, found, calls string }{
	{"a code is redeemed once", "redeem_code", "AND g.consumed_at IS NULL AND g.code_expires_at > p_now\n\t\t\t\tAND", "AND g.code_expires_at > p_now\n\t\t\t\tAND", "codes and logout", "FinishRequest login, RedeemCode login"},
	{"a code is burned once", "redeem_code", "AND g.consumed_at IS NULL AND g.code_expires_at > p_now;", "AND g.code_expires_at > p_now;", "codes and logout", "FinishRequest login, BurnCode"},
	{"a code expires", "redeem_code", "AND g.code_expires_at > p_now\n\t\t\t\tAND", "\n\t\t\t\tAND", "sessions", "RedeemCode login"},
	{"a used code is no equal outcome", "finish_request", "AND g.consumed_at IS NULL AND g.code_expires_at > p_now", "AND g.code_expires_at > p_now", "codes and logout", "FinishRequest login, BurnCode"},
	{"an expired code is no equal outcome", "finish_request", "AND g.consumed_at IS NULL AND g.code_expires_at > p_now", "AND g.consumed_at IS NULL", "sessions", "FinishRequest data"},
	{"a code needs a session that has not ended", "finish_request", "AND s.ended_at IS NULL AND s.expires_at > p_now FOR SHARE", "AND s.expires_at > p_now FOR SHARE", "codes and logout", "FinishRequest login, EndSession"},
	{"a code with a visit needs a session that has not expired", "finish_request", "AND s.expires_at > p_now FOR NO KEY UPDATE", "FOR NO KEY UPDATE", "sessions", "FinishRequest data"},
	{"a code with a visit needs a session that has not ended", "finish_request", "AND s.ended_at IS NULL AND s.expires_at > p_now FOR NO KEY UPDATE", "AND s.expires_at > p_now FOR NO KEY UPDATE", "sessions", "EndSession S, FinishRequest data"},
	{"a visit changes the version", "finish_request", "SET version = s.version + 1, changed_at = p_now, last_request_at = greatest(s.last_request_at, p_visit_at), expires_at = greatest(s.expires_at, p_visit_until),\n\t\t\t\t\tclient_ids", "SET client_ids", "sessions", "FinishRequest data"},
	{"a grant needs a session that has not ended", "insert_grant", "AND s.ended_at IS NULL AND", "AND", "grants without a code", "EndSession, InsertGrant"},
	{"a consent that is renewed keeps its instant", "finish_request", "WHEN c.version = excluded.version AND c.expires_at > p_now THEN", "WHEN false THEN", "consents", "Consent"},
	{"a consent for another version is a new one", "finish_request", "WHEN c.version = excluded.version AND", "WHEN", "consents", "Consent"},
	{"a consent that has expired is not renewed", "finish_request", "AND c.expires_at > p_now THEN", "THEN", "consents", "Consent"},
	{"a consent ends at the later instant", "finish_request", "OR c.expires_at < excluded.expires_at;", "OR true;", "consents", "Consent"},
	{"a consent that has expired is not found", "consents", "AND c.expires_at > p_now", "", "consents", "Consent"},
	{"a declined consent ends", "finish_request", "IF cardinality(p_declined) > 0 THEN", "IF false THEN", "consents", "Consent, Decline"},
	{"a consent ends with its authorization", "revoke_authorization", "DELETE FROM portner.consents c WHERE", "DELETE FROM portner.consents c WHERE false AND", "consents", "Consent, RevokeAuthorization"},
	{"a code ends with its session", "end_grants", "SET consumed_at = coalesce(g.consumed_at, p_now),\n", "SET\n", "codes and logout", "FinishRequest login, EndSession"},
	{"a login ends with its session", "end_grants", "revoked_at = CASE WHEN g.redeemed_at IS NOT NULL THEN p_now END", "revoked_at = g.revoked_at", "refresh tokens", "EndSession"},
	{"a session ends once", "end_session", "AND s.ended_at IS NULL AND s.expires_at > p_now FOR", "AND s.expires_at > p_now FOR", "codes and logout", "EndSession"},
	{"a session that has ended is not found", "session", "AND s.ended_at IS NULL AND", "AND", "codes and logout", "EndSession"},
	{"a session that has expired is not found", "session", "AND s.expires_at > p_now", "", "sessions", "Sweep"},
	{"a replacement compares versions", "replace_session", "v_old.version <> p_version OR", "", "sessions", "ReplaceSession S -> S"},
	{"a switch ends the old session", "replace_session", "v_ended := ARRAY[v_old.id];", "", "sessions", "ReplaceSession S -> N"},
	{"the session limit", "replace_session", "IF p_limit >= 1 THEN", "IF false THEN", "sessions", "ReplaceSession none"},
	{"a replaced session has not ended", "replace_session", "WHERE s.hash = p_old AND s.ended_at IS NULL AND", "WHERE s.hash = p_old AND", "sessions", "EndSession S, ReplaceSession S -> S"},
	{"a family ends with its grant", "rotate_refresh_token", "IF v_own AND NOT v_revoked THEN", "IF v_own THEN", "refresh tokens", "Revoke, RotateRefreshToken r0 -> r1"},
	{"a refresh token is rotated once", "rotate_refresh_token", "SET consumed_at = p_now, successor = p_next_hash, used = true\n\t\t\t\tWHERE t.hash = p_hash AND t.consumed_at IS NULL AND", "SET consumed_at = p_now, successor = p_next_hash, used = true\n\t\t\t\tWHERE t.hash = p_hash AND", "refresh tokens", "RotateRefreshToken r0"},
	{"the idle lifetime", "rotate_refresh_token", "SET consumed_at = p_now, successor = p_next_hash, used = true\n\t\t\t\tWHERE t.hash = p_hash AND t.consumed_at IS NULL AND t.expires_at > p_now", "SET consumed_at = p_now, successor = p_next_hash, used = true\n\t\t\t\tWHERE t.hash = p_hash AND t.consumed_at IS NULL", "refresh tokens", "RotateRefreshToken r0 -> r1"},
	{"a refresh token ends with its grant", "rotate_refresh_token", "OR p_now >= v_end", "", "refresh tokens", "RotateRefreshToken r0 -> r1"},
	{"a retry names the same successor", "rotate_refresh_token", "WHERE n.hash = v_successor AND v_successor = p_next_hash AND", "WHERE n.hash = v_successor AND", "refresh tokens", "RotateRefreshToken r0"},
	{"a retry is made in the grace", "rotate_refresh_token", "AND p_now::numeric - v_consumed_at < p_grace", "", "refresh tokens", "RotateRefreshToken r0 -> r1"},
	{"a retry finds its successor unused", "rotate_refresh_token", "AND NOT n.used AND n.consumed_at IS NULL", "", "refresh tokens", "RotateRefreshToken r0 -> r1, RotateRefreshToken r1"},
	{"a renewal uses the token", "rotate_refresh_token", "inserted_at = p_now, used = true", "inserted_at = p_now", "refresh tokens", "RotateRefreshToken r0 -> r1, RotateRefreshToken r1 -> r1"},
	{"a revocation ends the grant", "revoke_grant", "SET revoked_at = p_now, consumed_at", "SET consumed_at", "refresh tokens", "Revoke login"},
	{"a revocation consumes the code", "revoke_grant", ", consumed_at = coalesce(g.consumed_at, p_now)", "", "codes and logout", "FinishRequest login, Revoke login"},
	{"a grant ends with its authorization", "revoke_authorization", "SET revoked_at = p_now, consumed_at", "SET consumed_at", "codes and logout", "FinishRequest login, RedeemCode login, RevokeAuthorization"},
	{"an access token is revoked with its grant", "access_token", "g.revoked_at IS NOT NULL,", "false,", "codes and logout", "FinishRequest data, RedeemCode data, RevokeAuthorization"},
	{"a grant that was revoked is not listed", "grant", "AND g.revoked_at IS NULL", "", "codes and logout", "FinishRequest login, RedeemCode login, Revoke login"},
	{"a pushed request is used once", "consume_pushed_request", "AND p.consumed_at IS NULL AND", "AND", "pushed requests and assertions", "PushRequest, ConsumePushedRequest"},
	{"a pushed request expires", "consume_pushed_request", "AND p.consumed_at IS NULL AND p.expires_at > p_now", "AND p.consumed_at IS NULL", "pushed requests and assertions", "PushRequest, ConsumePushedRequest"},
	{"a pushed request that was used is not found", "pushed_request", "AND p.consumed_at IS NULL", "", "pushed requests and assertions", "PushRequest, ConsumePushedRequest"},

	{"a pushed request that is found was consumed", "consume_pushed_request", "AND p.consumed_at IS NOT NULL", "", "a request that is pushed while it is consumed was not consumed", ""},
	{"a code that was inserted meanwhile", "redeem_code", "ELSIF v_same THEN", "ELSIF false THEN", "a code that is inserted while it is redeemed is used once", ""},
	{"a request that was swept meanwhile", "finish_request", "IF NOT FOUND THEN -- it was swept in between", "IF false THEN", "a request that is swept while it is finished again has no other outcome", ""},
	{"a code locks its session", "finish_request", "AND s.expires_at > p_now FOR SHARE", "AND s.expires_at > p_now", "logout is final: a code", ""},
	{"a visit locks its session", "finish_request", "AND s.expires_at > p_now FOR NO KEY UPDATE", "AND s.expires_at > p_now", "logout is final: a code with a visit", ""},
	{"a grant locks its session", "insert_grant", "FOR SHARE", "", "logout is final: a grant without a code", ""},
	{"a replaced session is locked", "replace_session", "AND s.ended_at IS NULL AND s.expires_at > p_now FOR NO KEY UPDATE;", "AND s.ended_at IS NULL AND s.expires_at > p_now;", "logout is final: a switch to another session", ""},
	{"an ended session is locked", "end_session", "FOR NO KEY UPDATE", "", "a session ends once", ""},
	{"sessions beyond the limit are locked", "replace_session", "ORDER BY s.id FOR NO KEY UPDATE) AS l", "ORDER BY s.id) AS l", "a session ends once, by itself or beyond the limit", ""},
	{"only locked sessions end", "replace_session", "WHERE s.id = ANY (v_others) ORDER BY", "WHERE s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now AND s.id <> p_id ORDER BY", "a session that was not live does not end in the place of one that was", ""},
	{"the lock of a user", "replace_session", "PERFORM pg_advisory_xact_lock(least(v_lock, v_other));", "", "the session limit", ""},
	{"a revocation locks the authorization", "revoke_authorization", "PERFORM pg_advisory_xact_lock(p_lock);", "", "the consents end with the codes", ""},
	{"an answer locks the authorization", "finish_request", "PERFORM pg_advisory_xact_lock(p_lock);", "", "the consents end with the codes", ""},
	{"a code locks the authorization", "finish_request", "PERFORM pg_advisory_xact_lock_shared(p_lock);", "", "the codes end with the consents", ""},
	{"a grant locks the authorization", "insert_grant", "PERFORM pg_advisory_xact_lock_shared(p_lock);", "", "the grants end with the consents", ""},
	{"a rotation locks the grant", "rotate_refresh_token", "FOR NO KEY UPDATE", "", "no token is rotated after the grant was revoked", ""},
	{"a retry locks the grant", "rotate_refresh_token", "FOR NO KEY UPDATE", "", "a rotation is not retried after its successor was used", ""},
}

// TestDroppedGuards verifies that without any single guard there are calls whose verdicts are wrong.
func TestDroppedGuards(t *testing.T) {
	t.Parallel()
	slow.Test(t) // 8 s of CPU
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{})
	migration, err := os.ReadFile(filepath.Join("migrations", "0002_functions.sql"))
	require.NoError(t, err)
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			function := regexp.MustCompile(`(?s)CREATE (FUNCTION portner\.` + g.function + `_1\(.*?\nEND \$\$;)`).FindSubmatch(migration)
			require.NotNil(t, function)
			text := "CREATE OR REPLACE " + string(function[1])
			require.Equal(t, 1, strings.Count(text, g.text))
			_, err := d.pool.Exec(bg, strings.Replace(text, g.text, g.with, 1))
			require.NoError(t, err)
			t.Cleanup(func() {
				_, err := d.pool.Exec(bg, text)
				require.NoError(t, err)
			})
			found := ""
			for _, m := range meetings {
				if m.name == g.found {
					d.empty(t)
					found = m.run(t, d)
				}
			}
			if g.calls != "" {
				d.empty(t)
				found = explore.FindIn(s, explore.FullDepth+1, g.found, strings.Split(g.calls, ", ")...)
			}
			t.Log(found)
			require.NotEmpty(t, found)
		})
	}
}

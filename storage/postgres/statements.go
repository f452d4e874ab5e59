package postgres

// The statements of the package. They are constant and name the schema of each table and function. A read returns a row in any case: its
// first column reports whether the server is a standby, which may not know the latest revocation.
const (
	sqlSettings = `SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
		current_setting('default_transaction_isolation'), current_setting('synchronous_commit'), current_setting('fsync')`

	sqlProbe = `UPDATE portner.probe SET at = now()`

	sessionColumns = `id, hash, user_key, version, started_at, last_request_at, expires_at, client_ids, client_sids, client_logins, client_open, data`

	sqlSession = `SELECT pg_is_in_recovery(), s.id, s.hash, s.user_key, s.version, s.started_at, s.last_request_at, s.expires_at,
			s.client_ids, s.client_sids, s.client_logins, s.client_open, s.data
		FROM (SELECT 1) AS one LEFT JOIN portner.sessions s ON s.hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2`

	sqlReplaceSession = `SELECT verdict, ` + sessionColumns + `
		FROM portner.replace_session_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

	sqlEndSession = `SELECT ` + sessionColumns + ` FROM portner.end_session_1($1, $2)`

	sqlConsents = `SELECT pg_is_in_recovery(), c.scope, c.version, c.granted_at, c.expires_at
		FROM (SELECT 1) AS one LEFT JOIN portner.consents c
			ON c.user_key = $1 AND c.client_id = $2 AND c.customer = $3 AND c.expires_at > $4`

	sqlFinishRequest = `SELECT portner.finish_request_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)`

	sqlCode = `SELECT pg_is_in_recovery(), g.id, g.client_id, g.customer, g.user_key, g.session_id,
			g.code_expires_at, g.code_retain_to, g.consumed_at IS NOT NULL, g.code_data, g.grant_data
		FROM (SELECT 1) AS one LEFT JOIN portner.grants g ON g.code_hash = $1`

	sqlRedeemCode = `SELECT portner.redeem_code_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

	grantColumns = `g.id, g.client_id, g.customer, g.user_key, g.session_id, g.login_only, g.created_at, g.expires_at, g.revoked_at IS NOT NULL,
		coalesce(g.issued_data, g.grant_data)`

	sqlRefreshToken = `SELECT pg_is_in_recovery(), t.generation, t.expires_at, t.consumed_at, t.successor, coalesce(n.used, false), ` + grantColumns + `
		FROM (SELECT 1) AS one LEFT JOIN (portner.refresh_tokens t JOIN portner.grants g ON g.id = t.grant_id AND g.redeemed_at IS NOT NULL) ON t.hash = $1
			LEFT JOIN portner.refresh_tokens n ON n.hash = t.successor`

	sqlRotateRefreshToken = `SELECT portner.rotate_refresh_token_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	sqlAccessToken = `SELECT pg_is_in_recovery(), t.expires_at, t.data, ` + grantColumns + `
		FROM (SELECT 1) AS one LEFT JOIN (portner.access_tokens t JOIN portner.grants g ON g.id = t.grant_id AND g.redeemed_at IS NOT NULL) ON t.hash = $1`

	sqlInsertGrant = `SELECT portner.insert_grant_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

	sqlRevokeGrant = `UPDATE portner.grants SET revoked_at = $2, consumed_at = coalesce(consumed_at, $2) WHERE id = $1 AND revoked_at IS NULL`

	sqlRevokeAuthorization = `SELECT portner.revoke_authorization_1($1, $2, $3, $4, $5)`

	sqlGrant = `SELECT pg_is_in_recovery(), ` + grantColumns + ` FROM (SELECT 1) AS one LEFT JOIN portner.grants g
		ON g.id = $1 AND g.user_key = $2 AND g.listed AND g.redeemed_at IS NOT NULL AND g.revoked_at IS NULL AND g.expires_at > $3`

	sqlGrants = `SELECT pg_is_in_recovery(), known, id, client_id, customer, session_id, login_only, created_at, expires_at, data
		FROM portner.grants_1($1, $2, $3, $4)`

	sqlPushRequest = `SELECT portner.push_request_1($1, $2, $3, $4, $5, $6, $7)`

	sqlPushedRequest = `SELECT pg_is_in_recovery(), p.client_id, p.source, p.params, p.expires_at
		FROM (SELECT 1) AS one LEFT JOIN portner.pushed_requests p ON p.hash = $1 AND p.consumed_at IS NULL AND p.expires_at > $2`

	sqlConsumePushedRequest = `SELECT portner.consume_pushed_request_1($1, $2)`

	sqlRecordLogin = `SELECT portner.record_login_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	sqlLogins = `SELECT pg_is_in_recovery(), l.id, l.client_id, l.orgno, l.service, l.method, l.hidden, l.at, l.expires_at
		FROM (SELECT 1) AS one LEFT JOIN portner.logins l ON l.user_key = $1 AND l.expires_at > $2
		ORDER BY l.number DESC`

	sqlConsumeJTI = `INSERT INTO portner.replays (key, client_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`

	sqlSigningKeys = `SELECT pg_is_in_recovery(), k.number, k.kid, k.alg, k.key, k.created_at, k.active_from
		FROM (SELECT 1) AS one LEFT JOIN portner.signing_keys k ON k.key_set = $1 ORDER BY k.number`

	sqlInsertSigningKey = `INSERT INTO portner.signing_keys (key_set, number, kid, alg, key, created_at, active_from) VALUES ($1, $2, $3, $4, $5, $6, $7)`

	sqlDeleteSigningKey = `UPDATE portner.signing_keys SET key = NULL WHERE key_set = $1 AND kid = $2`
)

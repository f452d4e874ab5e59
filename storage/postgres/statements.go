package postgres

// The statements of the package. They are constant and name the schema of each table and function (migrations/0002_functions.sql).
const (
	sqlSettings = `SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
		current_setting('default_transaction_isolation'), current_setting('synchronous_commit'), current_setting('fsync')`

	sqlProbe = `UPDATE portner.probe SET at = now()`

	sessionColumns = `id, hash, user_key, version, started_at, last_request_at, expires_at, client_ids, client_sids, client_logins, client_open, data`

	grantColumns = `grant_id, client_id, customer, user_key, session_id, login_only, created_at, grant_expires_at, revoked, data`

	sqlSession = `SELECT ` + sessionColumns + ` FROM portner.session_1($1, $2)`

	sqlReplaceSession = `SELECT verdict, ` + sessionColumns + `
		FROM portner.replace_session_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

	sqlEndSession = `SELECT ` + sessionColumns + ` FROM portner.end_session_1($1, $2)`

	sqlConsents = `SELECT scope, version, granted_at, expires_at FROM portner.consents_1($1, $2, $3, $4)`

	sqlFinishRequest = `SELECT portner.finish_request_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)`

	sqlCode = `SELECT id, client_id, customer, user_key, session_id, expires_at, retain_to, consumed, code_data, grant_data FROM portner.code_1($1)`

	sqlRedeemCode = `SELECT portner.redeem_code_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

	sqlRefreshToken = `SELECT generation, expires_at, consumed_at, successor, successor_used, ` + grantColumns + ` FROM portner.refresh_token_1($1)`

	sqlRotateRefreshToken = `SELECT portner.rotate_refresh_token_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	sqlAccessToken = `SELECT expires_at, token_data, ` + grantColumns + ` FROM portner.access_token_1($1)`

	sqlInsertGrant = `SELECT portner.insert_grant_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

	sqlRevokeGrant = `SELECT portner.revoke_grant_1($1, $2)`

	sqlRevokeAuthorization = `SELECT portner.revoke_authorization_1($1, $2, $3, $4, $5)`

	sqlGrant = `SELECT ` + grantColumns + ` FROM portner.grant_1($1, $2, $3)`

	sqlGrants = `SELECT known, ` + grantColumns + ` FROM portner.grants_1($1, $2, $3, $4)`

	sqlPushRequest = `SELECT portner.push_request_1($1, $2, $3, $4, $5, $6, $7)`

	sqlPushedRequest = `SELECT client_id, source, params, expires_at FROM portner.pushed_request_1($1, $2)`

	sqlConsumePushedRequest = `SELECT portner.consume_pushed_request_1($1, $2)`

	sqlRecordLogin = `SELECT portner.record_login_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	sqlLogins = `SELECT id, client_id, orgno, service, method, hidden, at, expires_at FROM portner.logins_1($1, $2)`

	sqlConsumeJTI = `INSERT INTO portner.replays (key, client_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`

	sqlSigningKeys = `SELECT number, kid, alg, key, created_at, active_from FROM portner.signing_keys_1($1)`

	sqlInsertSigningKey = `INSERT INTO portner.signing_keys (key_set, number, kid, alg, key, created_at, active_from) VALUES ($1, $2, $3, $4, $5, $6, $7)`

	sqlDeleteSigningKey = `UPDATE portner.signing_keys SET key = NULL WHERE key_set = $1 AND kid = $2`
)

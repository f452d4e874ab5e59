-- Views for operators: instants are timestamps, and hashes are hexadecimal. They have no sealed identity and no key.

CREATE FUNCTION portner.instant(nanoseconds bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT CASE WHEN nanoseconds > -9223372036854775808 THEN
		pg_catalog.to_timestamp(nanoseconds / 1000000000) + (nanoseconds % 1000000000 / 1000) * interval '1 microsecond'
	END
$$;

CREATE VIEW portner.operator_sessions AS
	SELECT id, encode(user_key, 'hex') AS user_key, portner.instant(started_at) AS started_at, portner.instant(last_request_at) AS last_request_at,
		portner.instant(expires_at) AS expires_at, portner.instant(ended_at) AS ended_at, client_ids
	FROM portner.sessions;

CREATE VIEW portner.operator_codes AS
	SELECT id AS grant_id, client_id, encode(user_key, 'hex') AS user_key, portner.instant(code_expires_at) AS expires_at,
		portner.instant(consumed_at) AS consumed_at, redeemed_at IS NOT NULL AS redeemed
	FROM portner.grants WHERE code_hash IS NOT NULL;

CREATE VIEW portner.operator_grants AS
	SELECT id, client_id, customer, encode(user_key, 'hex') AS user_key, session_id, login_only, portner.instant(created_at) AS created_at,
		portner.instant(redeemed_at) AS redeemed_at, portner.instant(expires_at) AS expires_at, portner.instant(revoked_at) AS revoked_at
	FROM portner.grants WHERE redeemed_at IS NOT NULL;

CREATE VIEW portner.operator_access_tokens AS
	SELECT encode(hash, 'hex') AS hash, grant_id, portner.instant(inserted_at) AS inserted_at, portner.instant(expires_at) AS expires_at
	FROM portner.access_tokens;

CREATE VIEW portner.operator_refresh_tokens AS
	SELECT encode(hash, 'hex') AS hash, grant_id, generation, portner.instant(inserted_at) AS inserted_at, portner.instant(expires_at) AS expires_at,
		portner.instant(consumed_at) AS consumed_at, encode(successor, 'hex') AS successor
	FROM portner.refresh_tokens;

CREATE VIEW portner.operator_consents AS
	SELECT encode(user_key, 'hex') AS user_key, client_id, customer, scope, version, portner.instant(granted_at) AS granted_at,
		portner.instant(expires_at) AS expires_at
	FROM portner.consents;

CREATE VIEW portner.operator_pushed_requests AS
	SELECT encode(hash, 'hex') AS hash, client_id, source, portner.instant(pushed_at) AS pushed_at, portner.instant(expires_at) AS expires_at,
		portner.instant(consumed_at) AS consumed_at
	FROM portner.pushed_requests;

CREATE VIEW portner.operator_logins AS
	SELECT encode(user_key, 'hex') AS user_key, id, client_id, orgno, service, method, hidden, portner.instant(at) AS at,
		portner.instant(expires_at) AS expires_at
	FROM portner.logins;

CREATE VIEW portner.operator_signing_keys AS
	SELECT key_set, number, kid, alg, portner.instant(created_at) AS created_at, portner.instant(active_from) AS active_from, key IS NULL AS deleted
	FROM portner.signing_keys;

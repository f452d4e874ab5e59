-- Instants are nanoseconds since 1970; the zero time is -9223372036854775808. A record holds, encoded, the fields that have no column.

CREATE TABLE sessions (
	number          INTEGER PRIMARY KEY, -- by insertion
	hash            BLOB    NOT NULL UNIQUE,
	id              TEXT    NOT NULL UNIQUE,
	user_key        BLOB    NOT NULL,
	version         INTEGER NOT NULL,
	started_at      INTEGER NOT NULL,
	last_request_at INTEGER NOT NULL,
	expires_at      INTEGER NOT NULL,
	ended           INTEGER NOT NULL DEFAULT 0, -- 1: hash and id are reserved until expires_at
	record          BLOB    NOT NULL            -- circles and clients; empty if ended
) STRICT;
CREATE INDEX sessions_user ON sessions (user_key, started_at, number) WHERE ended = 0;
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- The outcomes of authorization requests: codes and denials.
CREATE TABLE codes (
	request_id TEXT    NOT NULL UNIQUE,
	hash       BLOB    UNIQUE, -- NULL: denied
	grant_id   TEXT    UNIQUE, -- of the grant that the code becomes
	client_id  TEXT    NOT NULL,
	user_key   BLOB    NOT NULL,
	customer   TEXT    NOT NULL,
	session_id TEXT    NOT NULL,
	expires_at INTEGER NOT NULL,
	retain_to  INTEGER NOT NULL, -- recognised until then; not before expires_at
	consumed   INTEGER NOT NULL DEFAULT 0,
	record     BLOB    NOT NULL
) STRICT;
CREATE INDEX codes_session ON codes (session_id) WHERE consumed = 0 AND session_id <> '';
CREATE INDEX codes_user ON codes (user_key, client_id, customer) WHERE consumed = 0;
CREATE INDEX codes_expiry ON codes (retain_to);

CREATE TABLE grants (
	id         TEXT    NOT NULL UNIQUE,
	client_id  TEXT    NOT NULL,
	user_key   BLOB,             -- NULL: a machine grant
	customer   TEXT    NOT NULL,
	session_id TEXT    NOT NULL,
	login_only INTEGER NOT NULL, -- 1: ends with its session
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	revoked    INTEGER NOT NULL DEFAULT 0,
	record     BLOB    NOT NULL
) STRICT;
CREATE INDEX grants_user ON grants (user_key, created_at, id) WHERE revoked = 0 AND user_key IS NOT NULL;
CREATE INDEX grants_authorization ON grants (user_key, client_id, customer) WHERE revoked = 0 AND user_key IS NOT NULL;
CREATE INDEX grants_session ON grants (session_id) WHERE revoked = 0 AND login_only = 1 AND session_id <> '';
CREATE INDEX grants_expiry ON grants (expires_at);

CREATE TABLE access_tokens (
	hash       BLOB    NOT NULL UNIQUE,
	grant_id   TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	expires_at INTEGER NOT NULL,
	record     BLOB    NOT NULL
) STRICT;
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE refresh_tokens (
	hash        BLOB    NOT NULL UNIQUE,
	grant_id    TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	generation  INTEGER NOT NULL,
	expires_at  INTEGER NOT NULL,
	consumed_at INTEGER,                    -- NULL: not rotated
	successor   BLOB,                       -- NULL: none
	used        INTEGER NOT NULL DEFAULT 0  -- rotated or renewed
) STRICT;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

CREATE TABLE consents (
	user_key   BLOB    NOT NULL,
	client_id  TEXT    NOT NULL,
	customer   TEXT    NOT NULL,
	scope      TEXT    NOT NULL,
	version    TEXT    NOT NULL,
	granted_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	PRIMARY KEY (user_key, client_id, customer, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_expiry ON consents (expires_at);

CREATE TABLE pushed_requests (
	hash       BLOB    NOT NULL UNIQUE,
	client_id  TEXT    NOT NULL,
	source     TEXT    NOT NULL,
	expires_at INTEGER NOT NULL,
	consumed   INTEGER NOT NULL DEFAULT 0,
	params     BLOB    -- NULL: consumed
) STRICT;
CREATE INDEX pushed_requests_source ON pushed_requests (client_id, source) WHERE consumed = 0;
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

CREATE TABLE logins (
	number     INTEGER PRIMARY KEY, -- by insertion
	user_key   BLOB    NOT NULL,
	id         TEXT    NOT NULL,
	client_id  TEXT    NOT NULL,
	orgno      TEXT    NOT NULL,
	service    TEXT    NOT NULL,
	method     TEXT    NOT NULL,
	hidden     INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	UNIQUE (user_key, id)
) STRICT;
CREATE INDEX logins_expiry ON logins (expires_at);

-- Used assertions and proofs.
CREATE TABLE replays (
	key        BLOB    NOT NULL PRIMARY KEY,
	client_id  TEXT    NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replays_expiry ON replays (expires_at);

CREATE TABLE signing_keys (
	key_set     TEXT    NOT NULL,
	number      INTEGER NOT NULL,
	kid         TEXT    NOT NULL,
	alg         TEXT    NOT NULL,
	created_at  INTEGER NOT NULL,
	active_from INTEGER NOT NULL,
	key         BLOB, -- sealed; NULL: deleted
	PRIMARY KEY (key_set, number),
	UNIQUE (key_set, kid)
) STRICT;

-- How many rows of a table a client has, for the bounds; client_id '' has the number of all.
CREATE TABLE usage (
	name      TEXT    NOT NULL,
	client_id TEXT    NOT NULL,
	n         INTEGER NOT NULL,
	PRIMARY KEY (name, client_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER replays_inserted AFTER INSERT ON replays BEGIN
	INSERT INTO usage VALUES ('replays', '', 1), ('replays', 'c' || new.client_id, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER replays_deleted AFTER DELETE ON replays BEGIN
	UPDATE usage SET n = n - 1 WHERE name = 'replays' AND client_id IN ('', 'c' || old.client_id);
	DELETE FROM usage WHERE name = 'replays' AND client_id = 'c' || old.client_id AND n = 0;
END;
CREATE TRIGGER pushed_requests_inserted AFTER INSERT ON pushed_requests BEGIN
	INSERT INTO usage VALUES ('pushed_requests', '', 1), ('pushed_requests', 'c' || new.client_id, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER pushed_requests_deleted AFTER DELETE ON pushed_requests BEGIN
	UPDATE usage SET n = n - 1 WHERE name = 'pushed_requests' AND client_id IN ('', 'c' || old.client_id);
	DELETE FROM usage WHERE name = 'pushed_requests' AND client_id = 'c' || old.client_id AND n = 0;
END;

-- Ping writes its row.
CREATE TABLE readiness (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	n  INTEGER NOT NULL
) STRICT;

-- For operators.
CREATE VIEW session_list AS
	SELECT id, lower(hex(user_key)) AS user_key, datetime(started_at / 1000000000, 'unixepoch') AS started_at,
		datetime(last_request_at / 1000000000, 'unixepoch') AS last_request_at, datetime(expires_at / 1000000000, 'unixepoch') AS expires_at
	FROM sessions WHERE ended = 0;
CREATE VIEW grant_list AS
	SELECT id, client_id, lower(hex(user_key)) AS user_key, customer, session_id, login_only, revoked,
		datetime(created_at / 1000000000, 'unixepoch') AS created_at, datetime(expires_at / 1000000000, 'unixepoch') AS expires_at
	FROM grants;

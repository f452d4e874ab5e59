-- Instants are nanoseconds since 1970, UTC; the least bigint is no instant. Hashes are SHA-256. A column data holds the fields of a record
-- that have no column of their own (internal/record). Texts are compared byte by byte. A text that PostgreSQL cannot store, because it has
-- a zero byte or is no UTF-8, is U+0001 and its bytes in hexadecimal.

CREATE TABLE portner.sessions (
	id              text COLLATE "C" PRIMARY KEY,
	hash            bytea NOT NULL UNIQUE, -- of the cookie; rotation changes it
	user_key        bytea NOT NULL,
	version         bigint NOT NULL,
	started_at      bigint NOT NULL,
	last_request_at bigint NOT NULL,
	expires_at      bigint NOT NULL,
	ended_at        bigint, -- the row then reserves id and hash until expires_at
	changed_at      bigint NOT NULL, -- when it was inserted, replaced or visited last
	client_ids      text[] COLLATE "C" NOT NULL, -- the clients that received a login, in the order of their first one
	client_sids     text[] COLLATE "C" NOT NULL,
	client_logins   bigint[] NOT NULL,
	client_open     boolean[] NOT NULL,
	data            bytea -- NULL once the session has ended
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX sessions_user ON portner.sessions (user_key, started_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_expires ON portner.sessions (expires_at);

-- One row for each authorization request that was answered: it has one outcome.
CREATE TABLE portner.requests (
	id         text COLLATE "C" PRIMARY KEY,
	code_hash  bytea, -- NULL if the request was denied
	expires_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX requests_expires ON portner.requests (expires_at);

-- A grant, from its authorization code on. It is live from redeemed_at, and the methods on the code, the grant and its tokens lock this
-- row. Redemption changes no indexed column, so that PostgreSQL writes no index entry: the free part of a page has room for it.
CREATE TABLE portner.grants (
	id              text COLLATE "C" PRIMARY KEY,
	client_id       text COLLATE "C" NOT NULL,
	customer        text COLLATE "C" NOT NULL,
	user_key        bytea NOT NULL,
	session_id      text COLLATE "C", -- NULL outside a session
	listed          boolean NOT NULL, -- a grant of a user, not of a machine
	login_only      boolean NOT NULL,
	created_at      bigint NOT NULL,
	expires_at      bigint NOT NULL,
	inserted_at     bigint NOT NULL,
	remove_at       bigint NOT NULL, -- when neither the code nor the grant is recognised any more
	code_hash       bytea UNIQUE, -- NULL for a grant without a code
	code_expires_at bigint,
	code_retain_to  bigint,
	consumed_at     bigint, -- when the code was redeemed, consumed, or ended with its session or grant
	redeemed_at     bigint, -- when the grant became live
	revoked_at      bigint,
	code_data       bytea,
	grant_data      bytea NOT NULL, -- as it was authorized
	issued_data     bytea -- as it was issued; NULL if that is equal
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX grants_user ON portner.grants (user_key, created_at, id) WHERE listed;
CREATE INDEX grants_client ON portner.grants (client_id);
CREATE INDEX grants_session ON portner.grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_remove ON portner.grants (remove_at);

CREATE TABLE portner.access_tokens (
	hash        bytea PRIMARY KEY,
	grant_id    text COLLATE "C" NOT NULL,
	expires_at  bigint NOT NULL,
	inserted_at bigint NOT NULL,
	remove_at   bigint NOT NULL, -- the end of the token or of its grant
	data        bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX access_tokens_remove ON portner.access_tokens (remove_at);

-- Every generation is kept until its grant ends, so that a rotated token is recognised.
CREATE TABLE portner.refresh_tokens (
	hash        bytea PRIMARY KEY,
	grant_id    text COLLATE "C" NOT NULL,
	generation  bigint NOT NULL,
	expires_at  bigint NOT NULL,
	inserted_at bigint NOT NULL,
	consumed_at bigint, -- when it was rotated
	successor   bytea,
	used        boolean NOT NULL DEFAULT false, -- rotated or renewed
	remove_at   bigint NOT NULL -- the end of the grant
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX refresh_tokens_remove ON portner.refresh_tokens (remove_at);

CREATE TABLE portner.consents (
	user_key   bytea NOT NULL,
	client_id  text COLLATE "C" NOT NULL,
	customer   text COLLATE "C" NOT NULL,
	scope      text COLLATE "C" NOT NULL,
	version    text COLLATE "C" NOT NULL,
	granted_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	PRIMARY KEY (user_key, client_id, customer, scope)
);
CREATE INDEX consents_expires ON portner.consents (expires_at);

CREATE TABLE portner.pushed_requests (
	hash        bytea PRIMARY KEY,
	client_id   text COLLATE "C" NOT NULL,
	source      text COLLATE "C" NOT NULL,
	params      bytea, -- NULL once it is consumed
	pushed_at   bigint NOT NULL,
	consumed_at bigint,
	expires_at  bigint NOT NULL
);
CREATE INDEX pushed_requests_open ON portner.pushed_requests (client_id, source, expires_at) WHERE consumed_at IS NULL;
CREATE INDEX pushed_requests_expires ON portner.pushed_requests (expires_at);

CREATE TABLE portner.logins (
	user_key   bytea NOT NULL,
	id         text COLLATE "C" NOT NULL,
	number     bigint GENERATED ALWAYS AS IDENTITY, -- the order of insertion
	client_id  text COLLATE "C" NOT NULL,
	orgno      text COLLATE "C" NOT NULL,
	service    text COLLATE "C" NOT NULL,
	method     text COLLATE "C" NOT NULL,
	hidden     boolean NOT NULL,
	at         bigint NOT NULL,
	expires_at bigint NOT NULL,
	PRIMARY KEY (user_key, id)
);
CREATE INDEX logins_expires ON portner.logins (expires_at);

CREATE TABLE portner.replays (
	key        bytea PRIMARY KEY,
	client_id  text COLLATE "C" NOT NULL,
	expires_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX replays_expires ON portner.replays (expires_at);

CREATE TABLE portner.signing_keys (
	key_set     text COLLATE "C" NOT NULL,
	number      bigint NOT NULL,
	kid         text COLLATE "C" NOT NULL,
	alg         text COLLATE "C" NOT NULL,
	key         bytea, -- sealed; NULL once it is deleted
	created_at  bigint NOT NULL,
	active_from bigint NOT NULL,
	PRIMARY KEY (key_set, number),
	UNIQUE (key_set, kid)
);

-- Ping writes this row, so that a full disk or a standby is noticed.
CREATE TABLE portner.probe (
	id boolean PRIMARY KEY DEFAULT true CHECK (id),
	at timestamptz NOT NULL
);
INSERT INTO portner.probe (at) VALUES (now());

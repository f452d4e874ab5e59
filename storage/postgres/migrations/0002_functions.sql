-- Functions that change and read records in one round trip. The number at the end of a name is its version: a changed function gets a new number,
-- so that the nodes of two versions of the library use one schema.
--
-- A plan that was made for a small table is never a scan of a large one (enable_seqscan).
--
-- Those that change records return a verdict: 0 done, 1 not found, 2 consumed, 3 revoked, 4 conflict, 5 full. A verdict other than 0 has changed nothing. A
-- key that exists is a unique violation, which undoes the whole call.
--
-- Each statement of a function sees what others committed before it (READ COMMITTED): a function locks first and then looks, and it raises
-- an error under any other level of isolation. The order of locks is: user or authorization (advisory, for the transaction), session,
-- grant, token. Several rows of one kind are locked in the order of their IDs.
--
-- A later statement can find what an earlier one did not. What a function concludes from that is in the rows that the later statement
-- finds, or the earlier one has locked what the later one reads. That a statement changed no row is no fact about a row that another one finds.

-- check_isolation raises an error unless the transaction is READ COMMITTED.
CREATE FUNCTION portner.check_isolation_1() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'portner needs the isolation level read committed' USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
END $$;

-- user_lock returns the advisory lock of a user.
CREATE FUNCTION portner.user_lock_1(p_user bytea) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT ('x' || pg_catalog.encode(pg_catalog.substr(p_user, 1, 8), 'hex'))::bit(64)::bigint
$$;

-- end_grants ends what ends with sessions: unused codes, and grants that are for login only. The caller holds the rows of the sessions, so
-- that no code or grant is inserted in them. No other row begins to meet the condition, so the update finds only rows that are locked.
CREATE FUNCTION portner.end_grants_1(p_sessions text[], p_now bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	PERFORM 1 FROM portner.grants g
		WHERE g.session_id = ANY (p_sessions)
			AND (g.consumed_at IS NULL OR g.redeemed_at IS NOT NULL AND g.login_only AND g.revoked_at IS NULL)
		ORDER BY g.id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	UPDATE portner.grants g
		SET consumed_at = coalesce(g.consumed_at, p_now),
			revoked_at = CASE WHEN g.redeemed_at IS NOT NULL THEN p_now END
		WHERE g.session_id = ANY (p_sessions)
			AND (g.consumed_at IS NULL OR g.redeemed_at IS NOT NULL AND g.login_only AND g.revoked_at IS NULL);
END $$;

-- replace_session returns its verdict in the first row, and the sessions that it ended in the others.
CREATE FUNCTION portner.replace_session_1(
	p_old bytea, p_now bigint, p_limit bigint, p_most bigint,
	p_id text, p_hash bytea, p_user bytea, p_version bigint, p_started_at bigint, p_last_request_at bigint, p_expires_at bigint,
	p_client_ids text[], p_client_sids text[], p_client_logins bigint[], p_client_open boolean[], p_data bytea)
RETURNS TABLE (verdict smallint, id text, hash bytea, user_key bytea, version bigint, started_at bigint, last_request_at bigint, expires_at bigint,
	client_ids text[], client_sids text[], client_logins bigint[], client_open boolean[], data bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	v_lock bigint := portner.user_lock_1(p_user);
	v_other bigint;
	v_held bigint;
	v_surplus bigint;
	v_others text[];
	v_ended text[] := '{}';
	v_old portner.sessions;
	v_one portner.sessions;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	-- The user of a session never changes. A session that is inserted after this look-up ends without the lock of its user: the lock of its
	-- row suffices, because it makes room.
	IF p_old IS NOT NULL THEN
		SELECT portner.user_lock_1(s.user_key) INTO v_other FROM portner.sessions s WHERE s.hash = p_old;
	END IF;
	PERFORM pg_advisory_xact_lock(least(v_lock, v_other));
	IF v_other <> v_lock THEN
		PERFORM pg_advisory_xact_lock(greatest(v_lock, v_other));
	END IF;

	verdict := 0;
	IF p_hash IS DISTINCT FROM p_old THEN
		PERFORM 1 FROM portner.sessions s
			WHERE s.hash = p_hash AND s.id = p_id AND s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now;
		IF FOUND THEN
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;
	IF p_old IS NOT NULL THEN
		SELECT * INTO v_old FROM portner.sessions s WHERE s.hash = p_old AND s.ended_at IS NULL AND s.expires_at > p_now FOR NO KEY UPDATE;
		IF NOT FOUND THEN
			verdict := 1;
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;

	IF v_old.id = p_id THEN
		IF v_old.version <> p_version OR v_old.user_key <> p_user THEN
			verdict := 4;
			RETURN NEXT;
			RETURN;
		END IF;
		UPDATE portner.sessions s
			SET hash = p_hash, version = p_version + 1, started_at = p_started_at, last_request_at = p_last_request_at, expires_at = p_expires_at,
				client_ids = p_client_ids, client_sids = p_client_sids, client_logins = p_client_logins, client_open = p_client_open, data = p_data,
				changed_at = p_now
			WHERE s.id = p_id;
	ELSE
		IF p_limit NOT BETWEEN 1 AND p_most THEN -- otherwise the oldest one ends
			SELECT count(*) INTO v_held FROM portner.sessions s
				WHERE s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now AND s.id IS DISTINCT FROM v_old.id;
			IF v_held >= p_most THEN
				verdict := 5;
				RETURN NEXT;
				RETURN;
			END IF;
		END IF;
		INSERT INTO portner.sessions (id, hash, user_key, version, started_at, last_request_at, expires_at,
			client_ids, client_sids, client_logins, client_open, data, changed_at)
			VALUES (p_id, p_hash, p_user, p_version, p_started_at, p_last_request_at, p_expires_at,
				p_client_ids, p_client_sids, p_client_logins, p_client_open, p_data, p_now);
	END IF;
	RETURN NEXT;

	IF v_old.id <> p_id THEN
		v_ended := ARRAY[v_old.id];
		id := v_old.id; hash := v_old.hash; user_key := v_old.user_key; version := v_old.version; started_at := v_old.started_at;
		last_request_at := v_old.last_request_at; expires_at := v_old.expires_at; client_ids := v_old.client_ids;
		client_sids := v_old.client_sids; client_logins := v_old.client_logins; client_open := v_old.client_open; data := v_old.data;
		RETURN NEXT;
	END IF;
	IF p_limit >= 1 THEN
		-- A session that has expired at p_now can be visited meanwhile by a node whose clock is behind: only what was locked is counted and ends.
		SELECT array_agg(l.id) INTO v_others FROM (
			SELECT s.id FROM portner.sessions s
				WHERE s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now AND s.id <> p_id AND s.id <> ALL (v_ended)
				ORDER BY s.id FOR NO KEY UPDATE) AS l;
		v_surplus := cardinality(v_others) + 1 - p_limit;
		IF v_surplus > 0 THEN
			FOR v_one IN SELECT * FROM portner.sessions s WHERE s.id = ANY (v_others) ORDER BY s.started_at, s.id LIMIT v_surplus
			LOOP
				id := v_one.id; hash := v_one.hash; user_key := v_one.user_key; version := v_one.version; started_at := v_one.started_at;
				last_request_at := v_one.last_request_at; expires_at := v_one.expires_at; client_ids := v_one.client_ids;
				client_sids := v_one.client_sids; client_logins := v_one.client_logins; client_open := v_one.client_open; data := v_one.data;
				v_ended := v_ended || v_one.id;
				RETURN NEXT;
			END LOOP;
		END IF;
	END IF;
	IF cardinality(v_ended) > 0 THEN
		UPDATE portner.sessions s
			SET ended_at = p_now, data = NULL, client_ids = '{}', client_sids = '{}', client_logins = '{}', client_open = '{}'
			WHERE s.id = ANY (v_ended);
		PERFORM portner.end_grants_1(v_ended, p_now);
	END IF;
END $$;

-- end_session returns the session as it was, or no row.
CREATE FUNCTION portner.end_session_1(p_hash bytea, p_now bigint)
RETURNS TABLE (id text, hash bytea, user_key bytea, version bigint, started_at bigint, last_request_at bigint, expires_at bigint,
	client_ids text[], client_sids text[], client_logins bigint[], client_open boolean[], data bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	SELECT s.id, s.hash, s.user_key, s.version, s.started_at, s.last_request_at, s.expires_at,
			s.client_ids, s.client_sids, s.client_logins, s.client_open, s.data
		INTO id, hash, user_key, version, started_at, last_request_at, expires_at, client_ids, client_sids, client_logins, client_open, data
		FROM portner.sessions s
		WHERE s.hash = p_hash AND s.ended_at IS NULL AND s.expires_at > p_now FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	RETURN NEXT;
	UPDATE portner.sessions s
		SET ended_at = p_now, data = NULL, client_ids = '{}', client_sids = '{}', client_logins = '{}', client_open = '{}'
		WHERE s.id = end_session_1.id;
	PERFORM portner.end_grants_1(ARRAY[end_session_1.id], p_now);
END $$;

-- finish_request: p_lock and p_second_lock are the advisory locks of the authorizations of the code and of the consents, in ascending
-- order; the second one is NULL if they are one.
CREATE FUNCTION portner.finish_request_1(
	p_request text, p_now bigint, p_retain_to bigint, p_lock bigint, p_second_lock bigint,
	p_code bytea, p_code_expires_at bigint, p_code_data bytea,
	p_grant text, p_client text, p_customer text, p_user bytea, p_session text, p_listed boolean, p_login_only boolean,
	p_created_at bigint, p_expires_at bigint, p_grant_data bytea,
	p_consent_user bytea, p_consent_client text, p_consent_customer text,
	p_scopes text[], p_versions text[], p_granted_at bigint[], p_until bigint[], p_declined text[],
	p_visit_at bigint, p_visit_until bigint, p_visit_client text, p_visit_sid text, p_visit_login bigint, p_visit_open boolean)
RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_answers boolean := cardinality(p_scopes) + cardinality(p_declined) > 0;
	v_code bytea;
	v_place integer;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	-- Consents of one authorization change one after another, and never while it is revoked.
	IF v_answers THEN
		PERFORM pg_advisory_xact_lock(p_lock);
		IF p_second_lock IS NOT NULL THEN
			PERFORM pg_advisory_xact_lock(p_second_lock);
		END IF;
	ELSE
		PERFORM pg_advisory_xact_lock_shared(p_lock);
		IF p_second_lock IS NOT NULL THEN
			PERFORM pg_advisory_xact_lock_shared(p_second_lock);
		END IF;
	END IF;
	IF p_session IS NOT NULL THEN
		IF p_visit_at IS NULL THEN
			PERFORM 1 FROM portner.sessions s
				WHERE s.id = p_session AND s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now FOR SHARE;
		ELSE
			PERFORM 1 FROM portner.sessions s
				WHERE s.id = p_session AND s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now FOR NO KEY UPDATE;
		END IF;
		IF NOT FOUND THEN
			RETURN 3;
		END IF;
	END IF;

	INSERT INTO portner.requests (id, code_hash, expires_at) VALUES (p_request, p_code, p_retain_to) ON CONFLICT (id) DO NOTHING;
	IF NOT FOUND THEN
		SELECT r.code_hash INTO v_code FROM portner.requests r WHERE r.id = p_request;
		IF NOT FOUND THEN -- it was swept in between
			RAISE EXCEPTION 'a request was swept' USING ERRCODE = 'serialization_failure';
		END IF;
		IF v_code IS DISTINCT FROM p_code THEN
			RETURN 4;
		END IF;
		IF p_code IS NOT NULL THEN
			PERFORM 1 FROM portner.grants g WHERE g.code_hash = p_code AND g.consumed_at IS NULL AND g.code_expires_at > p_now;
			IF NOT FOUND THEN
				RETURN 2;
			END IF;
		END IF;
		RETURN 0;
	END IF;

	IF p_code IS NOT NULL THEN
		INSERT INTO portner.grants (id, client_id, customer, user_key, session_id, listed, login_only, created_at, expires_at, inserted_at, remove_at,
			code_hash, code_expires_at, code_retain_to, code_data, grant_data)
			VALUES (p_grant, p_client, p_customer, p_user, p_session, p_listed, p_login_only, p_created_at, p_expires_at, p_now, greatest(p_expires_at, p_retain_to),
				p_code, p_code_expires_at, p_retain_to, p_code_data, p_grant_data);
	END IF;

	FOR i IN 1 .. cardinality(p_scopes) LOOP -- one by one: two consents can be for one scope
		INSERT INTO portner.consents AS c (user_key, client_id, customer, scope, version, granted_at, expires_at)
			VALUES (p_consent_user, p_consent_client, p_consent_customer, p_scopes[i], p_versions[i], p_granted_at[i], p_until[i])
			ON CONFLICT (user_key, client_id, customer, scope) DO UPDATE
			SET version = excluded.version, expires_at = excluded.expires_at,
				granted_at = CASE WHEN c.version = excluded.version AND c.expires_at > p_now THEN c.granted_at ELSE excluded.granted_at END
			WHERE c.version <> excluded.version OR c.expires_at < excluded.expires_at;
	END LOOP;
	IF cardinality(p_declined) > 0 THEN
		DELETE FROM portner.consents c
			WHERE c.user_key = p_consent_user AND c.client_id = p_consent_client AND c.customer = p_consent_customer AND c.scope = ANY (p_declined);
	END IF;

	IF p_visit_at IS NOT NULL AND p_session IS NOT NULL THEN -- as storage.Visit.Apply
		SELECT array_position(s.client_ids, p_visit_client) INTO v_place FROM portner.sessions s WHERE s.id = p_session;
		IF v_place IS NULL THEN
			UPDATE portner.sessions s
				SET version = s.version + 1, changed_at = p_now, last_request_at = greatest(s.last_request_at, p_visit_at), expires_at = greatest(s.expires_at, p_visit_until),
					client_ids = s.client_ids || p_visit_client, client_sids = s.client_sids || p_visit_sid,
					client_logins = s.client_logins || p_visit_login, client_open = s.client_open || p_visit_open
				WHERE s.id = p_session;
		ELSE
			UPDATE portner.sessions s
				SET version = s.version + 1, changed_at = p_now, last_request_at = greatest(s.last_request_at, p_visit_at), expires_at = greatest(s.expires_at, p_visit_until),
					client_open[v_place] = s.client_open[v_place] AND p_visit_open
				WHERE s.id = p_session;
		END IF;
	END IF;
	RETURN 0;
END $$;

-- redeem_code: p_access_hash is NULL if the code is only consumed.
CREATE FUNCTION portner.redeem_code_1(
	p_code bytea, p_now bigint,
	p_grant text, p_client text, p_customer text, p_user bytea, p_session text, p_login_only boolean, p_created_at bigint, p_expires_at bigint, p_grant_data bytea,
	p_access_hash bytea, p_access_grant text, p_access_expires_at bigint, p_access_data bytea,
	p_refresh_hash bytea, p_refresh_grant text, p_refresh_generation bigint, p_refresh_expires_at bigint)
RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_retain_to bigint;
	v_expires_at bigint;
	v_consumed_at bigint;
	v_same boolean;
BEGIN
	-- The guard is in the update: of several callers one finds the code unconsumed.
	IF p_access_hash IS NULL THEN
		UPDATE portner.grants g SET consumed_at = p_now
			WHERE g.code_hash = p_code AND g.consumed_at IS NULL AND g.code_expires_at > p_now;
	ELSIF p_access_grant = p_grant AND (p_refresh_grant IS NULL OR p_refresh_grant = p_grant) THEN
		UPDATE portner.grants g
			SET consumed_at = p_now, redeemed_at = p_now, login_only = p_login_only, created_at = p_created_at, expires_at = p_expires_at,
				remove_at = greatest(g.remove_at, p_expires_at), issued_data = nullif(p_grant_data, g.grant_data)
			WHERE g.code_hash = p_code AND g.consumed_at IS NULL AND g.code_expires_at > p_now
				AND g.id = p_grant AND g.client_id = p_client AND g.customer = p_customer AND g.user_key = p_user AND g.session_id IS NOT DISTINCT FROM p_session;
	END IF;
	IF NOT FOUND THEN
		-- The update may not have seen the code: each verdict is about the row that is found here.
		SELECT g.code_retain_to, g.code_expires_at, g.consumed_at,
				p_access_hash IS NULL OR p_access_grant = p_grant AND (p_refresh_grant IS NULL OR p_refresh_grant = p_grant)
				AND g.id = p_grant AND g.client_id = p_client AND g.customer = p_customer AND g.user_key = p_user AND g.session_id IS NOT DISTINCT FROM p_session
			INTO v_retain_to, v_expires_at, v_consumed_at, v_same
			FROM portner.grants g WHERE g.code_hash = p_code;
		IF NOT FOUND OR v_retain_to <= p_now THEN
			RETURN 1;
		ELSIF v_consumed_at IS NOT NULL THEN
			RETURN 2;
		ELSIF v_expires_at <= p_now THEN
			RETURN 1;
		ELSIF v_same THEN -- it was inserted after the update
			RAISE EXCEPTION 'a code was inserted' USING ERRCODE = 'serialization_failure';
		END IF;
		RETURN 4;
	END IF;
	IF p_access_hash IS NOT NULL THEN
		INSERT INTO portner.access_tokens (hash, grant_id, expires_at, inserted_at, remove_at, data)
			VALUES (p_access_hash, p_grant, p_access_expires_at, p_now, least(p_access_expires_at, p_expires_at), p_access_data);
	END IF;
	IF p_refresh_hash IS NOT NULL THEN
		INSERT INTO portner.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at)
			VALUES (p_refresh_hash, p_grant, p_refresh_generation, p_refresh_expires_at, p_now, p_expires_at);
	END IF;
	RETURN 0;
END $$;

CREATE FUNCTION portner.rotate_refresh_token_1(
	p_hash bytea, p_now bigint, p_grace bigint,
	p_access_hash bytea, p_access_grant text, p_access_expires_at bigint, p_access_data bytea,
	p_next_hash bytea, p_next_grant text, p_next_generation bigint, p_next_expires_at bigint)
RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_grant text;
	v_end bigint;
	v_revoked boolean;
	v_own boolean;
	v_done boolean := false;
	v_retry boolean := false;
	v_expires_at bigint;
	v_consumed_at bigint;
	v_successor bytea;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	-- Two look-ups are faster than a join. The grant of a token never changes, and its tokens change only under the lock of its row.
	SELECT t.grant_id INTO v_grant FROM portner.refresh_tokens t WHERE t.hash = p_hash;
	SELECT g.expires_at, g.revoked_at IS NOT NULL INTO v_end, v_revoked
		FROM portner.grants g WHERE g.id = v_grant AND g.redeemed_at IS NOT NULL FOR NO KEY UPDATE;
	IF NOT FOUND OR p_now >= v_end THEN
		RETURN 1;
	END IF;
	v_own := p_access_grant = v_grant AND (p_next_grant IS NULL OR p_next_grant = v_grant);
	IF v_own AND NOT v_revoked THEN
		IF p_next_hash = p_hash THEN
			UPDATE portner.refresh_tokens t SET generation = p_next_generation, expires_at = p_next_expires_at, inserted_at = p_now, used = true
				WHERE t.hash = p_hash AND t.consumed_at IS NULL AND t.expires_at > p_now;
		ELSE
			UPDATE portner.refresh_tokens t SET consumed_at = p_now, successor = p_next_hash, used = true
				WHERE t.hash = p_hash AND t.consumed_at IS NULL AND t.expires_at > p_now;
		END IF;
		v_done := FOUND;
	END IF;
	IF NOT v_done THEN
		SELECT t.expires_at, t.consumed_at, t.successor INTO v_expires_at, v_consumed_at, v_successor
			FROM portner.refresh_tokens t WHERE t.hash = p_hash;
		IF NOT FOUND OR v_consumed_at IS NULL AND v_expires_at <= p_now THEN
			RETURN 1;
		ELSIF v_revoked THEN
			RETURN 3;
		ELSIF v_consumed_at IS NOT NULL THEN
			-- A retry: numeric, because the difference of two instants may be no bigint.
			PERFORM 1 FROM portner.refresh_tokens n
				WHERE n.hash = v_successor AND v_successor = p_next_hash AND p_grace > 0 AND p_now::numeric - v_consumed_at < p_grace
					AND NOT n.used AND n.consumed_at IS NULL AND n.expires_at > p_now;
			v_retry := FOUND;
			IF NOT v_retry THEN
				RETURN 2;
			END IF;
		END IF;
		IF NOT v_own THEN
			RETURN 4;
		ELSIF NOT v_retry THEN -- the lock of the grant excludes it
			RAISE EXCEPTION 'a refresh token changed' USING ERRCODE = 'serialization_failure';
		END IF;
	END IF;
	INSERT INTO portner.access_tokens (hash, grant_id, expires_at, inserted_at, remove_at, data)
		VALUES (p_access_hash, v_grant, p_access_expires_at, p_now, least(p_access_expires_at, v_end), p_access_data);
	IF p_next_hash <> p_hash AND NOT v_retry THEN
		INSERT INTO portner.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at)
			VALUES (p_next_hash, v_grant, p_next_generation, p_next_expires_at, p_now, v_end);
	END IF;
	RETURN 0;
END $$;

CREATE FUNCTION portner.insert_grant_1(
	p_now bigint, p_lock bigint,
	p_grant text, p_client text, p_customer text, p_user bytea, p_session text, p_listed boolean, p_login_only boolean, p_created_at bigint, p_expires_at bigint, p_grant_data bytea,
	p_access_hash bytea, p_access_expires_at bigint, p_access_data bytea,
	p_refresh_hash bytea, p_refresh_generation bigint, p_refresh_expires_at bigint)
RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	IF p_listed THEN
		PERFORM pg_advisory_xact_lock_shared(p_lock);
	END IF;
	IF p_session IS NOT NULL THEN
		PERFORM 1 FROM portner.sessions s
			WHERE s.id = p_session AND s.user_key = p_user AND s.ended_at IS NULL AND s.expires_at > p_now FOR SHARE;
		IF NOT FOUND THEN
			RETURN 3;
		END IF;
	END IF;
	INSERT INTO portner.grants (id, client_id, customer, user_key, session_id, listed, login_only, created_at, expires_at, inserted_at, remove_at,
		consumed_at, redeemed_at, grant_data)
		VALUES (p_grant, p_client, p_customer, p_user, p_session, p_listed, p_login_only, p_created_at, p_expires_at, p_now, p_expires_at,
			p_now, p_now, p_grant_data);
	INSERT INTO portner.access_tokens (hash, grant_id, expires_at, inserted_at, remove_at, data)
		VALUES (p_access_hash, p_grant, p_access_expires_at, p_now, least(p_access_expires_at, p_expires_at), p_access_data);
	IF p_refresh_hash IS NOT NULL THEN
		INSERT INTO portner.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at)
			VALUES (p_refresh_hash, p_grant, p_refresh_generation, p_refresh_expires_at, p_now, p_expires_at);
	END IF;
	RETURN 0;
END $$;

CREATE FUNCTION portner.revoke_grant_1(p_id text, p_now bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	UPDATE portner.grants g SET revoked_at = p_now, consumed_at = coalesce(g.consumed_at, p_now) WHERE g.id = p_id AND g.revoked_at IS NULL;
END $$;

CREATE FUNCTION portner.revoke_authorization_1(p_lock bigint, p_user bytea, p_client text, p_customer text, p_now bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	PERFORM pg_advisory_xact_lock(p_lock);
	PERFORM 1 FROM portner.grants g
		WHERE g.listed AND g.user_key = p_user AND g.client_id = p_client AND g.customer = p_customer AND g.revoked_at IS NULL
		ORDER BY g.id FOR NO KEY UPDATE;
	UPDATE portner.grants g SET revoked_at = p_now, consumed_at = coalesce(g.consumed_at, p_now)
		WHERE g.listed AND g.user_key = p_user AND g.client_id = p_client AND g.customer = p_customer AND g.revoked_at IS NULL;
	DELETE FROM portner.consents c WHERE c.user_key = p_user AND c.client_id = p_client AND c.customer = p_customer;
END $$;

-- push_request counts without a lock: requests that are pushed at the same time may exceed the bound by the number of connections.
CREATE FUNCTION portner.push_request_1(p_hash bytea, p_client text, p_source text, p_params bytea, p_expires_at bigint, p_now bigint, p_most bigint)
RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_open bigint;
BEGIN
	SELECT count(*) INTO v_open FROM (
		SELECT 1 FROM portner.pushed_requests p
			WHERE p.client_id = p_client AND p.source = p_source AND p.consumed_at IS NULL AND p.expires_at > p_now LIMIT p_most) AS open;
	IF v_open >= p_most THEN
		RETURN 5;
	END IF;
	INSERT INTO portner.pushed_requests (hash, client_id, source, params, pushed_at, expires_at)
		VALUES (p_hash, p_client, p_source, p_params, p_now, p_expires_at);
	RETURN 0;
END $$;

CREATE FUNCTION portner.consume_pushed_request_1(p_hash bytea, p_now bigint) RETURNS smallint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	UPDATE portner.pushed_requests p SET consumed_at = p_now, params = NULL
		WHERE p.hash = p_hash AND p.consumed_at IS NULL AND p.expires_at > p_now;
	IF FOUND THEN
		RETURN 0;
	END IF;
	-- A request that was pushed after the update is there, and was not consumed.
	PERFORM 1 FROM portner.pushed_requests p WHERE p.hash = p_hash AND p.consumed_at IS NOT NULL AND p.expires_at > p_now;
	RETURN CASE WHEN FOUND THEN 2 ELSE 1 END;
END $$;

-- record_login keeps the newest p_most entries of a user.
CREATE FUNCTION portner.record_login_1(p_user bytea, p_id text, p_client text, p_orgno text, p_service text, p_method text, p_hidden boolean,
	p_at bigint, p_expires_at bigint, p_now bigint, p_most bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		PERFORM portner.check_isolation_1();
	END IF;
	PERFORM pg_advisory_xact_lock(portner.user_lock_1(p_user));
	DELETE FROM portner.logins l WHERE l.user_key = p_user AND l.id = p_id AND l.expires_at <= p_now;
	INSERT INTO portner.logins (user_key, id, client_id, orgno, service, method, hidden, at, expires_at)
		VALUES (p_user, p_id, p_client, p_orgno, p_service, p_method, p_hidden, p_at, p_expires_at) ON CONFLICT (user_key, id) DO NOTHING;
	IF FOUND THEN
		DELETE FROM portner.logins l WHERE l.user_key = p_user AND l.number <= (
			SELECT o.number FROM portner.logins o WHERE o.user_key = p_user ORDER BY o.number DESC OFFSET p_most LIMIT 1);
	END IF;
END $$;

-- The functions that only read raise an error on a standby: it may not know the latest revocation.
CREATE FUNCTION portner.check_primary_1() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION 'the server is a standby' USING ERRCODE = 'read_only_sql_transaction';
	END IF;
END $$;

CREATE FUNCTION portner.session_1(p_hash bytea, p_now bigint)
RETURNS TABLE (id text, hash bytea, user_key bytea, version bigint, started_at bigint, last_request_at bigint, expires_at bigint,
	client_ids text[], client_sids text[], client_logins bigint[], client_open boolean[], data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT s.id, s.hash, s.user_key, s.version, s.started_at, s.last_request_at, s.expires_at,
			s.client_ids, s.client_sids, s.client_logins, s.client_open, s.data
		FROM portner.sessions s WHERE s.hash = p_hash AND s.ended_at IS NULL AND s.expires_at > p_now;
END $$;

CREATE FUNCTION portner.consents_1(p_user bytea, p_client text, p_customer text, p_now bigint)
RETURNS TABLE (scope text, version text, granted_at bigint, expires_at bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT c.scope, c.version, c.granted_at, c.expires_at
		FROM portner.consents c WHERE c.user_key = p_user AND c.client_id = p_client AND c.customer = p_customer AND c.expires_at > p_now;
END $$;

CREATE FUNCTION portner.code_1(p_code bytea)
RETURNS TABLE (id text, client_id text, customer text, user_key bytea, session_id text, expires_at bigint, retain_to bigint, consumed boolean,
	code_data bytea, grant_data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT g.id, g.client_id, g.customer, g.user_key, g.session_id, g.code_expires_at, g.code_retain_to, g.consumed_at IS NOT NULL,
			g.code_data, g.grant_data
		FROM portner.grants g WHERE g.code_hash = p_code;
END $$;

CREATE FUNCTION portner.refresh_token_1(p_hash bytea)
RETURNS TABLE (generation bigint, expires_at bigint, consumed_at bigint, successor bytea, successor_used boolean,
	grant_id text, client_id text, customer text, user_key bytea, session_id text, login_only boolean, created_at bigint, grant_expires_at bigint,
	revoked boolean, data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT t.generation, t.expires_at, t.consumed_at, t.successor, coalesce(n.used, false),
			g.id, g.client_id, g.customer, g.user_key, g.session_id, g.login_only, g.created_at, g.expires_at,
			g.revoked_at IS NOT NULL, coalesce(g.issued_data, g.grant_data)
		FROM portner.refresh_tokens t JOIN portner.grants g ON g.id = t.grant_id LEFT JOIN portner.refresh_tokens n ON n.hash = t.successor
		WHERE t.hash = p_hash AND g.redeemed_at IS NOT NULL;
END $$;

CREATE FUNCTION portner.access_token_1(p_hash bytea)
RETURNS TABLE (expires_at bigint, token_data bytea,
	grant_id text, client_id text, customer text, user_key bytea, session_id text, login_only boolean, created_at bigint, grant_expires_at bigint,
	revoked boolean, data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT t.expires_at, t.data,
			g.id, g.client_id, g.customer, g.user_key, g.session_id, g.login_only, g.created_at, g.expires_at,
			g.revoked_at IS NOT NULL, coalesce(g.issued_data, g.grant_data)
		FROM portner.access_tokens t JOIN portner.grants g ON g.id = t.grant_id
		WHERE t.hash = p_hash AND g.redeemed_at IS NOT NULL;
END $$;

-- grant returns the live grant of a user with an ID.
CREATE FUNCTION portner.grant_1(p_id text, p_user bytea, p_now bigint)
RETURNS TABLE (grant_id text, client_id text, customer text, user_key bytea, session_id text, login_only boolean, created_at bigint, grant_expires_at bigint,
	revoked boolean, data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT g.id, g.client_id, g.customer, g.user_key, g.session_id, g.login_only, g.created_at, g.expires_at,
			false, coalesce(g.issued_data, g.grant_data)
		FROM portner.grants g
		WHERE g.id = p_id AND g.user_key = p_user AND g.listed AND g.redeemed_at IS NOT NULL AND g.revoked_at IS NULL AND g.expires_at > p_now;
END $$;

-- grants returns in the first row whether the position is known, and the page in the others.
CREATE FUNCTION portner.grants_1(p_user bytea, p_after text, p_limit bigint, p_now bigint)
RETURNS TABLE (known boolean, grant_id text, client_id text, customer text, user_key bytea, session_id text, login_only boolean, created_at bigint,
	grant_expires_at bigint, revoked boolean, data bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	v_created_at bigint;
	v_id text;
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	known := true;
	IF p_after IS NOT NULL THEN
		SELECT g.created_at, g.id INTO v_created_at, v_id FROM portner.grants g
			WHERE g.id = p_after AND g.user_key = p_user AND g.listed AND g.redeemed_at IS NOT NULL AND g.expires_at > p_now;
		known := FOUND;
	END IF;
	RETURN NEXT;
	IF NOT known THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT true, g.id, g.client_id, g.customer, g.user_key, g.session_id, g.login_only, g.created_at, g.expires_at,
			false, coalesce(g.issued_data, g.grant_data)
		FROM portner.grants g
		WHERE g.user_key = p_user AND g.listed AND g.redeemed_at IS NOT NULL AND g.revoked_at IS NULL AND g.expires_at > p_now
			AND (v_id IS NULL OR (g.created_at, g.id) < (v_created_at, v_id))
		ORDER BY g.created_at DESC, g.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION portner.pushed_request_1(p_hash bytea, p_now bigint)
RETURNS TABLE (client_id text, source text, params bytea, expires_at bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT p.client_id, p.source, p.params, p.expires_at
		FROM portner.pushed_requests p WHERE p.hash = p_hash AND p.consumed_at IS NULL AND p.expires_at > p_now;
END $$;

CREATE FUNCTION portner.logins_1(p_user bytea, p_now bigint)
RETURNS TABLE (id text, client_id text, orgno text, service text, method text, hidden boolean, at bigint, expires_at bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT l.id, l.client_id, l.orgno, l.service, l.method, l.hidden, l.at, l.expires_at
		FROM portner.logins l WHERE l.user_key = p_user AND l.expires_at > p_now ORDER BY l.number DESC;
END $$;

CREATE FUNCTION portner.signing_keys_1(p_set text)
RETURNS TABLE (number bigint, kid text, alg text, key bytea, created_at bigint, active_from bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	IF pg_is_in_recovery() THEN
		PERFORM portner.check_primary_1();
	END IF;
	RETURN QUERY SELECT k.number, k.kid, k.alg, k.key, k.created_at, k.active_from
		FROM portner.signing_keys k WHERE k.key_set = p_set ORDER BY k.number;
END $$;

-- sweep removes up to p_most rows of a table that have expired at p_until, and returns how many. It waits for no lock: a row that another
-- node removes, or that a method has locked, is skipped.
CREATE FUNCTION portner.sweep_1(p_table text, p_until bigint, p_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_removed bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true); -- until the end of the transaction
	IF p_table = 'access_tokens' THEN
		DELETE FROM portner.access_tokens WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.access_tokens WHERE remove_at <= p_until ORDER BY remove_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'refresh_tokens' THEN
		DELETE FROM portner.refresh_tokens WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.refresh_tokens WHERE remove_at <= p_until ORDER BY remove_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'grants' THEN
		DELETE FROM portner.grants WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.grants WHERE remove_at <= p_until ORDER BY remove_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'requests' THEN
		DELETE FROM portner.requests WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.requests WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'sessions' THEN
		DELETE FROM portner.sessions WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.sessions WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'consents' THEN
		DELETE FROM portner.consents WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.consents WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'pushed_requests' THEN
		DELETE FROM portner.pushed_requests WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.pushed_requests WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'logins' THEN
		DELETE FROM portner.logins WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.logins WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSIF p_table = 'replays' THEN
		DELETE FROM portner.replays WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM portner.replays WHERE expires_at <= p_until ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED));
	ELSE
		RAISE EXCEPTION 'unknown table';
	END IF;
	GET DIAGNOSTICS v_removed = ROW_COUNT;
	RETURN v_removed;
END $$;

-- The functions of a fence go through a table in the order of its primary key. Each call looks at p_most rows after a key and returns the
-- last key, NULL after the last row, and how many records it ended.
CREATE FUNCTION portner.fence_sessions_1(p_after text, p_since bigint, p_now bigint, p_most bigint, OUT last text, OUT ended bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_touched text[];
BEGIN
	SELECT max(b.id), array_agg(b.id) FILTER (WHERE b.touched) INTO last, v_touched FROM (
		SELECT s.id, s.ended_at IS NULL AND s.expires_at > p_now AND s.changed_at >= p_since AS touched
			FROM portner.sessions s WHERE s.id > p_after ORDER BY s.id LIMIT p_most) AS b;
	PERFORM 1 FROM portner.sessions s WHERE s.id = ANY (v_touched) ORDER BY s.id FOR NO KEY UPDATE;
	UPDATE portner.sessions s
		SET ended_at = p_now, data = NULL, client_ids = '{}', client_sids = '{}', client_logins = '{}', client_open = '{}'
		WHERE s.id = ANY (v_touched) AND s.ended_at IS NULL;
	GET DIAGNOSTICS ended = ROW_COUNT;
	PERFORM portner.end_grants_1(v_touched, p_now);
END $$;

CREATE FUNCTION portner.fence_grants_1(p_after text, p_since bigint, p_now bigint, p_most bigint, OUT last text, OUT ended bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_touched text[];
BEGIN
	SELECT max(b.id), array_agg(b.id) FILTER (WHERE b.touched) INTO last, v_touched FROM (
		SELECT g.id, greatest(g.inserted_at, g.redeemed_at, g.consumed_at) >= p_since AS touched
			FROM portner.grants g WHERE g.id > p_after ORDER BY g.id LIMIT p_most) AS b;
	ended := portner.end_grants_of_fence_1(v_touched, p_now);
END $$;

CREATE FUNCTION portner.fence_access_tokens_1(p_after bytea, p_since bigint, p_now bigint, p_most bigint, OUT last bytea, OUT ended bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_touched text[];
BEGIN
	SELECT (array_agg(b.hash ORDER BY b.hash DESC))[1], array_agg(DISTINCT b.grant_id) FILTER (WHERE b.touched) INTO last, v_touched FROM (
		SELECT t.hash, t.grant_id, t.inserted_at >= p_since AS touched
			FROM portner.access_tokens t WHERE t.hash > p_after ORDER BY t.hash LIMIT p_most) AS b;
	ended := portner.end_grants_of_fence_1(v_touched, p_now);
END $$;

CREATE FUNCTION portner.fence_refresh_tokens_1(p_after bytea, p_since bigint, p_now bigint, p_most bigint, OUT last bytea, OUT ended bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_touched text[];
BEGIN
	SELECT (array_agg(b.hash ORDER BY b.hash DESC))[1], array_agg(DISTINCT b.grant_id) FILTER (WHERE b.touched) INTO last, v_touched FROM (
		SELECT t.hash, t.grant_id, greatest(t.inserted_at, t.consumed_at) >= p_since AS touched
			FROM portner.refresh_tokens t WHERE t.hash > p_after ORDER BY t.hash LIMIT p_most) AS b;
	ended := portner.end_grants_of_fence_1(v_touched, p_now);
END $$;

-- end_grants_of_fence ends grants, and codes that were not redeemed, and returns how many they are.
CREATE FUNCTION portner.end_grants_of_fence_1(p_grants text[], p_now bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_ended bigint;
BEGIN
	PERFORM 1 FROM portner.grants g WHERE g.id = ANY (p_grants) AND g.revoked_at IS NULL ORDER BY g.id FOR NO KEY UPDATE;
	UPDATE portner.grants g SET revoked_at = p_now, consumed_at = coalesce(g.consumed_at, p_now)
		WHERE g.id = ANY (p_grants) AND g.revoked_at IS NULL;
	GET DIAGNOSTICS v_ended = ROW_COUNT;
	RETURN v_ended;
END $$;

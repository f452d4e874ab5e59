package mutations

// contract is the test of what every store must do, with the memory store.
var contract = tests("storage/storagetest", "TestMemory")

var storeDefects = []defect{
	{
		"marks of ended sessions are unbounded", "storage/memory/session.go",
		"if n > maxEnded {", "if n > 1<<30 {",
		tests("storage/memory", "TestEndedSessionsTakeNoRoom"),
	},
	{
		"a page of grants is read under one lock", "storage/memory/grant.go",
		"const maxUnlisted = 64", "const maxUnlisted = 1 << 30",
		tests("storage/memory", "TestLockHolds"),
	},
	{
		"memory: two records have one number", "storage/memory/directory.go",
		"p.items[i], p.empty = item, p.empty&^(1<<i)", "p.items[i] = item",
		tests("storage/memory", "TestDirectory"),
	},
	{
		"memory: a removed record has its number", "storage/memory/directory.go",
		"	sl.number = 0\n", "",
		tests("storage/memory", "TestDirectory"),
	},
	{
		"memory: a directory without records keeps its memory", "storage/memory/directory.go",
		"len(d.free) == len(all)-1", "len(d.free) == len(all)",
		tests("storage/memory", "TestDirectory"),
	},
	{
		"memory: an entry that was removed hides those that it displaced", "storage/memory/numbers.go",
		"	copy(t.places[at:], t.places[at+1:next])\n	t.places[next-1] = entry{}\n", "	t.places[at] = entry{}\n",
		tests("storage/memory", "TestNumbers"),
	},
	{
		"memory: two entries of an index have one place", "storage/memory/numbers.go",
		"	copy(t.places[at+1:free+1], t.places[at:free])\n", "",
		tests("storage/memory", "TestNumbers"),
	},
	{
		"memory: an index without records keeps its memory", "storage/memory/numbers.go",
		"		*t = numbers{}\n", "",
		tests("storage/memory", "TestNumbers"),
	},
	{
		"memory: the room that short lives leave in a directory is not filled", "storage/memory/directory.go",
		"case n >= leafSize/2 &&", "case n > leafSize &&",
		tests("storage/memory", "TestDirectoryReusesLeaves"),
	},
	{
		"memory: a directory keeps sessions that were collected", "storage/memory/session.go",
		`	s.sessions.remove(x)
	x.gone, x.text = true, ""
`, `	x.gone, x.text = true, ""
`,
		tests("storage/memory", "TestSweepLeavesNothing"),
	},
	{
		"memory: a directory keeps grants that were collected", "storage/memory/grant.go",
		`	s.due.grants.cancel(g)
	s.outcomes.remove(g)
	s.giveGrant(g)
`, `	s.due.grants.cancel(g)
	s.giveGrant(g)
`,
		tests("storage/memory", "TestSweepLeavesNothing"),
	},
	{
		"memory: a directory keeps users without records", "storage/memory/users.go",
		"	s.owners.remove(u)\n", "",
		tests("storage/memory", "TestSweepLeavesNothing"),
	},
	{
		"memory: a negative bound is accepted", "storage/memory/store.go",
		`problems.Want(0 <= n && n <= maxBound, field, "must be from 0 to 2^30")`, "",
		tests("storage/memory", "TestInvalidBounds"),
	},
	{
		"memory: a code is redeemed twice", "storage/memory/grant.go",
		`	g.used = true
	s.begin(g, text)`,
		`	s.begin(g, text)`,
		nil,
	},
	{
		"memory: a code is redeemed after its end", "storage/memory/grant.go",
		`case now >= g.code().end():
		return storage.ErrNotFound`,
		`case now > g.code().end():
		return storage.ErrNotFound`,
		nil,
	},
	{
		"memory: a code is redeemed after a logout", "storage/memory/grant.go",
		"return g.used || g.auth.revoked.Load() || g.session != nil && g.session.ended.Load()",
		"return g.used || g.auth.revoked.Load()",
		nil,
	},
	{
		"memory: a code is redeemed after its authorization was revoked", "storage/memory/grant.go",
		"return g.used || g.auth.revoked.Load() || g.session != nil",
		"return g.used || g.session != nil",
		nil,
	},
	{
		"memory: a grant outlives its authorization", "storage/memory/grant.go",
		"return g.revoked || g.auth.revoked.Load() || g.redeemed",
		"return g.revoked || g.redeemed",
		nil,
	},
	{
		"memory: a login-only grant outlives its session", "storage/memory/grant.go",
		`	if !text.loginOnly() {
`,
		`	if text.loginOnly() {
`,
		nil,
	},
	{
		"memory: the grant of a code may be another one", "storage/memory/grant.go",
		"i.Grant.UserKey != g.userKey() || !text.replaces(g.known()) || !ts",
		"i.Grant.UserKey != g.userKey() || !ts",
		contract,
	},
	{
		"memory: tokens of another grant are inserted", "storage/memory/grant.go",
		"!text.replaces(g.known()) || !ts.belongTo(text.id())",
		"!text.replaces(g.known())",
		contract,
	},
	{
		"memory: one request has two codes", "storage/memory/grant.go",
		" || g.code().requestID() != second.requestID() || g.code().hash() != second.hash():",
		" || g.code().requestID() != second.requestID():",
		contract,
	},
	{
		"memory: a code is returned with the grant that was redeemed", "storage/memory/grant_text.go",
		"b[flags] |= flagReplaces", "b[flags] |= 0",
		nil,
	},
	{
		"memory: a revoked grant is listed", "storage/memory/grant.go",
		"if g.ended(p.now) || g.isRevoked() {",
		"if g.ended(p.now) {",
		nil,
	},
	{
		"memory: the grant of another user is found", "storage/memory/grant.go",
		`!g.isRevoked() && g.auth.user.key == q.UserKey
`,
		`!g.isRevoked()
`,
		contract,
	},
	{
		"memory: a revocation leaves the code", "storage/memory/grant.go",
		"g.revoked, g.used = true, true",
		"g.revoked = true",
		nil,
	},
	{
		"memory: a revocation of an authorization leaves its consents", "storage/memory/grant.go",
		`	s.withdrawAll(key)
`,
		"",
		nil,
	},
	{
		"memory: a refresh token rotates twice", "storage/memory/token.go",
		"t.consumed, t.successor = now, next",
		"t.successor = next",
		nil,
	},
	{
		"memory: a refresh token is used after its end", "storage/memory/token.go",
		"t.consumed == record.NoTime && now >= t.end:",
		"t.consumed == record.NoTime && now > t.end:",
		contract,
	},
	{
		"memory: a retry is accepted after its successor was used", "storage/memory/token.go",
		`		!n.used && n.verdict`,
		`		n.verdict`,
		nil,
	},
	{
		"memory: a retry is accepted after the grace", "storage/memory/token.go",
		"grace > 0 && now-t.consumed < grace &&",
		"grace > 0 &&",
		nil,
	},
	{
		"memory: a retry has another successor", "storage/memory/token.go",
		"n.hash == ts.refresh.hash && grace",
		"grace",
		nil,
	},
	{
		"memory: an access token is used after its end", "storage/memory/token.go",
		`|| n >= t.text.end()
`,
		`|| n > t.text.end()
`,
		contract,
	},
	{
		"memory: an access token outlives its grant", "storage/memory/token.go",
		"t.grant.ended(n) || n >= t.text.end()",
		"n >= t.text.end()",
		nil,
	},
	{
		"memory: a revoked access token is live", "storage/memory/token.go",
		`	if revoked {
		return a, g, storage.ErrRevoked`,
		`	if revoked && a.Opaque {
		return a, g, storage.ErrRevoked`,
		nil,
	},
	{
		"memory: an ended session is live", "storage/memory/session.go",
		"return !x.ended.Load() && !x.gone",
		"return !x.gone",
		nil,
	},
	{
		"memory: a session is live at its end", "storage/memory/session.go",
		`now < x.text.end()
}`,
		`now <= x.text.end()
}`,
		nil,
	},
	{
		"memory: a cookie that was rotated is live", "storage/memory/session.go",
		"return x.isLive(now) && x.text.hash() == hash",
		"return x.isLive(now)",
		tests("storage/memory", "TestSessionRotatesBeforeItsLock"),
	},
	{
		"memory: a change of a session overwrites another one", "storage/memory/session.go",
		"if x.text.version() != r.next.Version || x.user",
		"if x.text.version() > r.next.Version || x.user",
		contract,
	},
	{
		"memory: a session changes its user", "storage/memory/session.go",
		`|| x.user.key != r.next.UserKey {
		return storage.ErrConflict`,
		`{
		return storage.ErrConflict`,
		contract,
	},
	{
		"memory: a session of another user admits a grant", "storage/memory/session.go",
		" || x.user.key != g.UserKey {",
		" {",
		tests("storage/memory", "TestSessionOfAnotherUserOfTheStripe"),
	},
	{
		"memory: a session that ended admits a grant", "storage/memory/session.go",
		"|| !x.isLive(now) || x.text.id() != g.SessionID",
		"|| x.text.id() != g.SessionID",
		nil,
	},
	{
		"memory: the youngest session ends beyond the limit", "storage/memory/session.go",
		"return cmp.Compare(a.text.start(), b.text.start()) })",
		"return cmp.Compare(b.text.start(), a.text.start()) })",
		contract,
	},
	{
		"memory: one session more than the limit lives", "storage/memory/session.go",
		"len(others)+1-r.limit)",
		"len(others)-r.limit)",
		nil,
	},
	{
		"memory: the session that a login replaces lives", "storage/memory/session.go",
		`	if from != nil {
		r.end(from)
	}
`,
		"",
		nil,
	},
	{
		"memory: an expired consent counts", "storage/memory/consent.go",
		"if n < one.until {",
		"if n <= one.until {",
		contract,
	},
	{
		"memory: a declined scope keeps its consent", "storage/memory/consent.go",
		"if scope == one.scope {",
		`if scope != one.scope && scope == "" {`,
		nil,
	},
	{
		"memory: a request_uri is consumed twice", "storage/memory/pushed.go",
		`p.used, p.params = true, ""`,
		`p.params = ""`,
		nil,
	},
	{
		"memory: a request_uri is valid at its end", "storage/memory/pushed.go",
		"|| now >= p.end:",
		"|| now > p.end:",
		contract,
	},
	{
		"memory: a jti is consumed twice", "storage/memory/replay.go",
		"known || one.at <= r.horizon() {",
		"known && one.at <= r.horizon() {",
		nil,
	},
	{
		"memory: a clock that goes back accepts a forgotten jti", "storage/memory/replay.go",
		"known || one.at <= r.horizon() {",
		"known || one.at < 0 && one.at <= r.horizon() {",
		nil,
	},
	{
		"memory: an expired jti is accepted", "storage/memory/replay.go",
		"if n >= end {",
		"if n > end {",
		contract,
	},
	{
		"sqlite: a code is redeemed twice", "storage/sqlite/code.go",
		`"UPDATE codes SET consumed = 1 WHERE hash = ?1", hash)`,
		`"UPDATE codes SET consumed = consumed WHERE hash = ?1", hash)`,
		nil,
	},
	{
		"sqlite: a code is redeemed after its end", "storage/sqlite/code.go",
		"!consumed && !now.Before(code.ExpiresAt):",
		"!consumed && now.After(code.ExpiresAt):",
		nil,
	},
	{
		"sqlite: the grant of a code may be of another user", "storage/sqlite/code.go",
		"a.ID != b.ID || a.UserKey != b.UserKey ||",
		"a.ID != b.ID ||",
		nil,
	},
	{
		"sqlite: a code of an ended session is stored", "storage/sqlite/code.go",
		"if err := c.admit(&o.Code.Grant, now); err != nil {",
		"if err := c.admit(&o.Code.Grant, now); err != nil && err != storage.ErrRevoked {",
		nil,
	},
	{
		"sqlite: one request has two codes", "storage/sqlite/code.go",
		`case hash != second:
`,
		`case hash != second && o.Code == nil:
`,
		nil,
	},
	{
		"sqlite: a revoked grant has live tokens", "storage/sqlite/token.go",
		`	case revoked:
		return a, g, storage.ErrRevoked
`,
		"\tcase revoked && a.Opaque:\n\t\treturn a, g, storage.ErrRevoked\n",
		nil,
	},
	{
		"sqlite: a refresh token rotates twice", "storage/sqlite/token.go",
		"SET consumed_at = ?2, successor = ?3, used = 1 WHERE",
		"SET consumed_at = NULL, successor = ?3, used = 1 WHERE",
		nil,
	},
	{
		"sqlite: a retry is accepted after the grace", "storage/sqlite/token.go",
		"|| grace <= 0 || now.Sub(t.ConsumedAt) >= grace {",
		"|| grace <= 0 {",
		nil,
	},
	{
		"sqlite: a retry is accepted after its successor was used", "storage/sqlite/token.go",
		" || t.SuccessorUsed || grace",
		" || grace",
		nil,
	},
	{
		"sqlite: tokens of another grant are inserted", "storage/sqlite/token.go",
		"if access.GrantID != grantID || refresh",
		"if refresh",
		nil,
	},
	{
		"sqlite: a revocation leaves the code", "storage/sqlite/grant.go",
		`"UPDATE codes SET consumed = 1 WHERE grant_id = ?1"`,
		`"UPDATE codes SET consumed = 0 WHERE grant_id = ?1"`,
		nil,
	},
	{
		"sqlite: the revocation of an authorization ends those of all customers", "storage/sqlite/grant.go",
		"UPDATE grants SET revoked = 1 WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3 AND revoked",
		"UPDATE grants SET revoked = 1 WHERE user_key = ?1 AND client_id = ?2 AND revoked",
		nil,
	},
	{
		"sqlite: a logout leaves the login-only grants", "storage/sqlite/session.go",
		"AND revoked = 0 AND login_only = 1 AND session_id",
		"AND revoked = 0 AND login_only = 2 AND session_id",
		nil,
	},
	{
		"sqlite: a logout ends every grant of the session", "storage/sqlite/session.go",
		"AND revoked = 0 AND login_only = 1 AND session_id",
		"AND revoked = 0 AND session_id",
		nil,
	},
	{
		"sqlite: an ended session is live", "storage/sqlite/session.go",
		`= ?1 AND ended = 0 AND expires_at > ?2", key`,
		`= ?1 AND expires_at > ?2", key`,
		nil,
	},
	{
		"sqlite: a change of a session overwrites another one", "storage/sqlite/session.go",
		"if from.Version != next.Version || from",
		"if from",
		nil,
	},
	{
		"sqlite: a session of another user admits a grant", "storage/sqlite/session.go",
		`WHERE id = ?1 AND user_key = ?2 AND ended = 0 AND expires_at > ?3", g.SessionID`,
		`WHERE id = ?1 AND user_key >= x'' AND (?2 = ?2) AND ended = 0 AND expires_at > ?3", g.SessionID`,
		nil,
	},
	{
		"sqlite: a jti is consumed twice", "storage/sqlite/optional.go",
		`"SELECT 1 FROM replays WHERE key = ?1", key)`,
		`"SELECT 1 FROM replays WHERE key = ?1 AND key IS NULL", key)`,
		nil,
	},
	{
		"sqlite: a request_uri is consumed twice", "storage/sqlite/optional.go",
		"SET consumed = 1, params = NULL WHERE hash = ?1 AND consumed = 0",
		"SET consumed = 1, params = NULL WHERE hash = ?1",
		nil,
	},
	{
		"sqlite: pushed requests of one address are unbounded", "storage/sqlite/optional.go",
		"if open >= int64(most) {",
		"if open > int64(most) {",
		nil,
	},
	{
		"postgres: an access token is used after its end", "storage/postgres/token.go",
		"if n := nanos(now); n >= row.end || n >= end {",
		"if n := nanos(now); n >= row.end || n > end {",
		nil,
	},
	{
		"postgres: a revoked access token is live", "storage/postgres/token.go",
		`	if row.revoked {
		return a, g`,
		`	if row.revoked && a.Opaque {
		return a, g`,
		nil,
	},
	{
		"postgres: a used refresh token is fresh", "storage/postgres/token.go",
		`case consumedAt != nil:
		state = storage.ErrConsumed`,
		`case consumedAt == nil:
		state = storage.ErrConsumed`,
		nil,
	},
	{
		"postgres: a jti is consumed twice", "storage/postgres/other.go",
		`if err == nil && inserted == 0 {
		return storage.ErrConsumed`,
		`if err != nil && inserted == 0 {
		return storage.ErrConsumed`,
		nil,
	},
	{
		"postgres: an expired jti is accepted", "storage/postgres/other.go",
		"if !now.Before(expiresAt) {",
		"if now.After(expiresAt) {",
		nil,
	},
	{
		"postgres: a retry is accepted after the grace", "storage/postgres/migrations/0002_functions.sql",
		"AND p_grace > 0 AND p_now::numeric - v_consumed_at < p_grace",
		"AND p_grace > 0",
		nil,
	},
	{
		"postgres: a retry is accepted after its successor was used", "storage/postgres/migrations/0002_functions.sql",
		"AND NOT n.used AND n.consumed_at IS NULL",
		"AND n.consumed_at IS NULL",
		nil,
	},
	{
		"postgres: a change of a session overwrites another one", "storage/postgres/migrations/0002_functions.sql",
		"IF v_old.version <> p_version OR v_old.user_key <> p_user THEN",
		"IF v_old.user_key <> p_user THEN",
		nil,
	},
	{
		"redis: a retry is accepted after its successor was used", "storage/redis/lua/rotate_refresh_token.lua",
		"return n and n.used == '' and not",
		"return n and not",
		nil,
	},
	{
		"redis: a code is redeemed after its end", "storage/redis/lua/shared_grants.lua",
		"if now >= c.stop then",
		"if now > c.stop then",
		nil,
	},
	{
		"redis: a code is redeemed after a logout", "storage/redis/lua/shared_grants.lua",
		"if c.used ~= '' or session_ended(c.session) or",
		"if c.used ~= '' or",
		nil,
	},
	{
		"redis: a grant outlives its authorization", "storage/redis/lua/shared_grants.lua",
		"if g.revoked ~= '' or session_ended(g.session) or authorization_ended(g.authorization) then",
		"if g.revoked ~= '' or session_ended(g.session) then",
		nil,
	},
	{
		"redis: a jti is consumed twice", "storage/redis/lua/consume_jti.lua",
		"return before == call and 'ok' or 'consumed'",
		"return 'ok'",
		nil,
	},
	{
		"redis: the grant of a code may be another one", "storage/redis/lua/redeem_code.lua",
		"c.grant ~= i.id or c.owner ~= owner or",
		"c.grant ~= i.id or",
		nil,
	},
	{
		"combined: a session whose stub ended is live", "storage/combined/combined.go",
		`	stub, err = s.grants.Session(ctx, stubHash(found.ID), now)
`,
		`	if stub, err = s.grants.Session(ctx, stubHash(found.ID), now); errors.Is(err, storage.ErrNotFound) {
		return found, stub, nil
	}
`,
		nil,
	},
	{
		"combined: a logout ends the session alone", "storage/combined/combined.go",
		"stub, err := s.grants.EndSession(ctx, stubHash(found.ID), now)",
		"stub, err := s.sessions.EndSession(ctx, hash, now)",
		nil,
	},
	{
		"combined: a change of a session overwrites another one", "storage/combined/combined.go",
		"if found.Version != next.Version || found.UserKey != next.UserKey {",
		"if found.UserKey != next.UserKey {",
		nil,
	},
	{
		"storage: a visit of a slow clock shortens a session", "storage/storage.go",
		"if s.LastRequestAt.Before(v.At) {",
		"if !s.LastRequestAt.Equal(v.At) {",
		nil,
	},
}

package mutations

var administrationDefects = []defect{
	{
		"a page of another site changes the configuration", "internal/standin/admin/guard.go",
		"if !sameSite(r) {",
		"if !sameSite(r) && h.cfg.Secret != nil {",
		nil,
	},
	{
		"a form of the same site changes the configuration", "internal/standin/admin/guard.go",
		`case "none", "same-origin":`,
		`case "none", "same-origin", "same-site":`,
		nil,
	},
	{
		"a wrong secret administrates", "internal/standin/admin/guard.go",
		"if !h.authenticated(r) {",
		`if !h.authenticated(r) && r.Header.Get("Authorization") == "" {`,
		nil,
	},
	{
		"the administration shows secrets", "internal/standin/admin/admin.go",
		"if name != l.Hidden {",
		`if name != l.Hidden || name == "client_secret" {`,
		nil,
	},
	{
		"an entry changes its key", "internal/standin/admin/lists.go",
		"if l.Key(e) != key {",
		`if l.Key(e) == "" {`,
		nil,
	},
	{
		"a new client has the key of another one", "internal/standin/admin/lists.go",
		"if _, err := h.entry(l, key); !errors.Is(err, errNotFound) {",
		"if _, err := h.entry(l, key); err != nil && !errors.Is(err, errNotFound) {",
		nil,
	},
	{
		"a page shows the authorizations of another organisation", "digdir/authorizations/authorizations.go",
		`if f.ClientOrgno != "" && c.OrganisationNo != f.ClientOrgno {`,
		`if f.ClientOrgno == "" && c.OrganisationNo != f.ClientOrgno {`,
		nil,
	},
	{
		"a caller of the authorizations has a low level", "digdir/authorizations/caller.go",
		"if !a.cfg.Sufficient(t.Grant.ACR) {",
		`if !a.cfg.Sufficient(t.Grant.ACR) && t.Grant.ACR == "" {`,
		nil,
	},
	{
		"a caller of the authorizations has a token for another API", "digdir/authorizations/caller.go",
		"case !t.IsFor(a.cfg.Audience...):",
		"case !t.IsFor(a.cfg.Audience...) && len(t.Token.Scopes) == 0:",
		nil,
	},
	{
		"a caller of the authorizations has another scope", "digdir/authorizations/caller.go",
		"case !slices.Contains(t.Token.Scopes, scope):",
		"case len(t.Token.Scopes) == 0:",
		nil,
	},
	{
		"a pseudonymous caller lists authorizations", "digdir/authorizations/caller.go",
		"case t.Grant.UserKey == (storage.Hash{}) || token",
		"case t.Grant.UserKey == (storage.Hash{}) && token",
		nil,
	},
	{
		"the owner of one scope lists the pseudonymous grants of others", "digdir/authorizations/protection.go",
		"(s == nil || s.OwnerOrgno != owner)",
		"(s == nil)",
		nil,
	},
}

var portnertestDefects = []defect{
	{
		"portnertest: a request without PKCE passes", "portnertest/check.go",
		`if challenge == "" || c.parameter("code_challenge_method") != "S256" {`,
		`if challenge != "" && c.parameter("code_challenge_method") != "S256" {`,
		nil,
	},
	{
		"portnertest: a weak state passes", "portnertest/check.go",
		`case weak(state):
`,
		`case weak(state) && state == "":
`,
		nil,
	},
	{
		"portnertest: a state is used twice", "portnertest/check.go",
		`	if stateReused {`,
		`	if stateReused && state == "" {`,
		nil,
	},
	{
		"portnertest: a nonce is used twice", "portnertest/check.go",
		`	if nonceReused {`,
		`	if nonceReused && nonce == "" {`,
		nil,
	},
	{
		"portnertest: a login without a nonce passes", "portnertest/check.go",
		`if nonce == "" && openID {`,
		`if nonce != "" && openID && weak(nonce) {`,
		nil,
	},
	{
		"portnertest: a refresh token is used after it was replaced", "portnertest/check.go",
		"replaced := p.history.replaced[storage.HashOf(token)]",
		"replaced := p.history.replaced[storage.HashOf(next)]",
		nil,
	},
	{
		"portnertest: an access token in a query passes", "portnertest/check.go",
		`if c.query.Has("access_token") {`,
		`if c.query.Has("access_token") && c.own {`,
		nil,
	},
	{
		"portnertest: an assertion for the token endpoint passes", "portnertest/check.go",
		`if aud, err := claims.OneString("aud"); err != nil || aud != p.Issuer {`,
		`if aud, err := claims.OneString("aud"); err != nil || aud == "" {`,
		nil,
	},
	{
		"portnertest: an assertion of an hour passes", "portnertest/check.go",
		"exp-iat > 120 {",
		"exp-iat > 3600 {",
		nil,
	},
	{
		"portnertest: a jti is used twice", "portnertest/check.go",
		`	if reused {`,
		`	if reused && jti == "" {`,
		nil,
	},
	{
		"portnertest: a rule that is allowed is reported", "portnertest/rules.go",
		"if p.cfg.Lenient || slices.Contains(p.cfg.Allow, rule) {",
		"if p.cfg.Lenient {",
		nil,
	},
	{
		"portnertest: a fault replaces the answer of every endpoint", "portnertest/fault.go",
		"if f.endpoint != c.Endpoint {",
		`if f.endpoint == "" {`,
		nil,
	},
	{
		"portnertest: a revoked token is live", "portnertest/mint.go",
		"return base.access, p.revoke(base.access)",
		"return base.access, nil",
		nil,
	},
	{
		"portnertest: the state of a response is not compared", "portnertest/login.go",
		`case answer.Get("state") != f.state:`,
		`case answer.Get("state") == "":`,
		nil,
	},
}

var telemetryDefects = []defect{
	{
		"telemetry: names of peers are labels without a bound", "telemetry/sets.go",
		"if len(n.seen) >= n.most {",
		"if len(n.seen) >= 1000*n.most {",
		nil,
	},
	{
		"telemetry: sets of labels are kept without a bound", "telemetry/sets.go",
		"if len(s.made) >= maxSets {",
		"if len(s.made) >= 1000*maxSets {",
		nil,
	},
	{
		"telemetry: a trace of a peer is continued", "telemetry/http.go",
		"if t.cfg.AcceptTraceparent && !trace",
		"if !trace",
		nil,
	},
	{
		"telemetry: the method of a peer is a label", "telemetry/http.go",
		`return "_OTHER"`,
		"return r.Method",
		nil,
	},
	{
		"telemetry: a full store is no fault", "telemetry/call.go",
		`return result == "full" || result`,
		"return result",
		nil,
	},
	{
		"telemetry: an event of security is no alarm", "telemetry/alarms.go",
		`strings.HasPrefix(string(n), "sec.") || strings`,
		"strings",
		nil,
	},
	{
		"telemetry: the correlation ID of a host is in traces", "telemetry/telemetry.go",
		"if !correlationIDs.MatchString(correlation) {",
		"if correlationIDs.MatchString(correlation) {",
		nil,
	},
	{
		"telemetry: a redemption is not counted", "telemetry/store.go",
		"return w.s.RedeemCode(ctx, hash, i, now)",
		"return w.s.RedeemCode(ctx, hash, nil, now)",
		nil,
	},
}

package mutations

var codeDefects = []defect{
	{
		"a recorded request that is sent again ends the grant of its code", "token/code.go",
		"if err := x.consume(ctx, x.Client.Client); err != nil {", "if err := error(nil); err != nil {",
		tests("token", "TestRecordedRequestEndsNoGrant"),
	},
	{
		"a code is redeemed by another client", "token/code.go",
		"if x.code.Grant.ClientID != r.Client.ClientID {",
		"if x.code.Grant.ClientID != r.Client.ClientID && r.Client.Public() {",
		nil,
	},
	{
		"the redirect_uri of a code is not compared", "token/code.go",
		`uri == "" || uri != x.code.RedirectURI {`,
		`uri == "" {`,
		nil,
	},
	{
		"the redirect_uri may be missing at the token endpoint", "token/code.go",
		`uri == "" || uri != x.code.RedirectURI {`,
		`uri != "" && uri != x.code.RedirectURI {`,
		nil,
	},
	{
		"a second use with a wrong verifier revokes the tokens of the owner", "token/code.go",
		"case used && mismatch != nil:",
		"case used && mismatch != nil && mismatch.Event != portner.EventPKCEMismatch:",
		nil,
	},
	{
		"a second use of a code revokes nothing", "token/code.go",
		`	if err := x.revoke(ctx, x.code.Grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventCodeReplay`,
		`	return invalidGrant(portner.EventCodeReplay`,
		nil,
	},
	{
		"a code is valid at its end", "token/code.go",
		"case !r.Now.Before(x.code.ExpiresAt):",
		"case r.Now.After(x.code.ExpiresAt):",
		nil,
	},
	{
		"a wrong verifier leaves the code for more guesses", "token/code.go",
		"return nil, x.burn(ctx, mismatch)",
		"return nil, invalidGrant(mismatch.Event, mismatch.Reason, mismatch.GrantID)",
		nil,
	},
	{
		"a code that another request redeemed first revokes nothing", "token/code.go",
		`case errors.Is(err, storage.ErrConsumed): // another request redeemed the code first
		return nil, x.replayed(ctx)`,
		`case errors.Is(err, storage.ErrConsumed): // another request redeemed the code first
		return nil, invalidGrant(portner.EventCodeReplay, "code_used", in.Grant.ID)`,
		nil,
	},
	{
		"a malformed code reaches the store", "token/code.go",
		"if !seal.TokenShaped(value) {",
		"if false && !seal.TokenShaped(value) {",
		nil,
	},
	{
		"a withdrawn scope is in the token of a code", "token/code.go",
		"plan, err := x.narrow(nil, &g, x.Client.Client)",
		"plan, err := x.narrow(g.Scopes, &g, x.Client.Client)",
		nil,
	},
	{
		"the end of a login does not end its codes", "token/code.go",
		`if reason, is := ended(err); is {
		return in, x.burn(`,
		`if reason, is := ended(err); is && reason == "" {
		return in, x.burn(`,
		nil,
	},
	{
		"a code whose grant ended stays valid", "token/code.go",
		"return in, x.burn(ctx, &cause{Event: portner.EventRefused, Reason: reason, GrantID: g.ID})",
		"return in, invalidGrant(portner.EventRefused, reason, g.ID)",
		nil,
	},
	{
		"a client without the grant type gets refresh tokens", "token/code.go",
		"Refresh: x.Client.HasGrant(client.RefreshToken),",
		"Refresh: true,",
		nil,
	},
	{
		"the nonce of the request is not in the id_token", "token/code.go",
		"IDToken: plan.OpenID, Nonce: x.code.Nonce,",
		"IDToken: plan.OpenID,",
		nil,
	},
	{
		"a code is stored in clear", "authorize/issue.go",
		"Hash: storage.HashOf(code), Grant: g,",
		"Hash: storage.Hash([]byte(code)[:32]), Grant: g,",
		nil,
	},
	{
		"a code lives as long as its grant", "authorize/issue.go",
		"ExpiresAt: x.now.Add(e.cfg.CodeLifetime),",
		"ExpiresAt: g.ExpiresAt,",
		nil,
	},
	{
		"a used code is forgotten while its tokens live", "authorize/issue.go",
		"if g.ExpiresAt.After(retain) {",
		"if retain.After(g.ExpiresAt) {",
		nil,
	},
	{
		"the codes of two users of one request are one", "authorize/issue.go",
		"{string(x.id[:]), string(sess.UserKey[:]), sess.ID}",
		"{string(x.id[:]), sess.ID}",
		nil,
	},
	{
		"the codes of two answers to one request are one", "authorize/issue.go",
		"scopes, x.representation.chosen, x.approval.approved}",
		"scopes, x.representation.chosen}",
		nil,
	},
	{
		"an outcome is stored when the browser has gone only if it was quick", "authorize/issue.go",
		"commitCtx := commit.New(ctx, commitTimeout)\n\tdefer commitCtx.Cancel()\n\to := e.newOutcome(",
		"commitCtx, cancel := context.WithTimeout(ctx, commitTimeout)\n\tdefer cancel()\n\to := e.newOutcome(",
		nil,
	},
	{
		"a code is issued after a logout in another tab", "authorize/issue.go",
		`	case errors.Is(err, storage.ErrRevoked):
		return sessionEnded(x.req.to)
`,
		`	case errors.Is(err, storage.ErrRevoked):
		return nil
`,
		nil,
	},
	{
		"a completed request leads to a second code", "authorize/issue.go",
		`case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrConsumed):
		return completed()`,
		`case errors.Is(err, storage.ErrConsumed):
		return completed()
	case errors.Is(err, storage.ErrConflict):
		return nil`,
		nil,
	},
}

var refreshDefects = []defect{
	{
		"a replayed refresh token ends nothing", "token/refresh.go",
		"if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {\n\t\treturn nil, err", "if err := error(nil); err != nil {\n\t\treturn nil, err",
		tests(walk, "TestWalks"),
	},
	{
		"a recorded request that is sent again ends the grant of its refresh token", "token/refresh.go",
		"if err := x.consume(ctx, x.Client.Client); err != nil {", "if err := error(nil); err != nil {",
		tests("token", "TestRecordedRequestEndsNoGrant"),
	},
	{
		"a refresh token is used by another client", "token/refresh.go",
		"if x.grant.ClientID != r.Client.ClientID {",
		"if x.grant.ClientID != r.Client.ClientID && r.Client.Public() {",
		nil,
	},
	{
		"a refresh token is valid at its end", "token/refresh.go",
		"case !r.Now.Before(x.token.ExpiresAt), !r",
		"case r.Now.After(x.token.ExpiresAt), !r",
		nil,
	},
	{
		"the grace of a rotated token never ends", "token/refresh.go",
		"&& since < x.cfg.RotationGrace && ",
		"&& ",
		nil,
	},
	{
		"the grace includes its end", "token/refresh.go",
		"&& since < x.cfg.RotationGrace && ",
		"&& since <= x.cfg.RotationGrace && ",
		nil,
	},
	{
		"a retry gets a second successor after the first was used", "token/refresh.go",
		" && !t.SuccessorUsed {",
		" {",
		nil,
	},
	{
		"a clock that jumped back makes the grace longer", "token/refresh.go",
		"-session.MaxSkew <= since && ",
		"",
		nil,
	},
	{
		"a refresh token does not rotate", "token/refresh.go",
		"if !x.Client.RotatesRefreshTokens() {",
		"if x.Client.RotatesRefreshTokens() {",
		nil,
	},
	{
		"generations of a family are not counted", "token/refresh.go",
		"generation: x.token.Generation + 1, from",
		"generation: x.token.Generation, from",
		nil,
	},
	{
		"the retry of a token is from now", "token/refresh.go",
		"generation: t.Generation + 1, from: t.ConsumedAt}",
		"generation: t.Generation + 1, from: x.Now}",
		nil,
	},
	{
		"a refresh may widen the scopes", "token/refresh.go",
		`case errors.Is(err, scope.ErrNotGranted):
		return plan, refuse`,
		`case errors.Is(err, scope.ErrNotGranted) && len(requested) == 0:
		return plan, refuse`,
		nil,
	},
	{
		"a refresh keeps a family whose scopes were withdrawn", "token/refresh.go",
		`return plan, x.end(ctx, "scope_withdrawn")`,
		`return plan, refuse(portner.InvalidScope, "", "scope_withdrawn")`,
		nil,
	},
	{
		"the end of a login does not end its refresh tokens", "token/refresh.go",
		`if reason, is := ended(err); is {
		return in, x.end`,
		`if reason, is := ended(err); is && reason == "" {
		return in, x.end`,
		nil,
	},
	{
		"a rejected refresh keeps its family", "token/refresh.go",
		`func (x *refreshing) end(ctx context.Context, reason string) error {
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {`,
		`func (x *refreshing) end(ctx context.Context, reason string) error {
	if err := error(nil); err != nil {`,
		nil,
	},
	{
		"requests that meet at nodes with different secrets end the family", "token/refresh.go",
		"storage.HashOf(next.value) == t.Successor {",
		"storage.HashOf(next.value) != t.Successor {",
		nil,
	},
	{
		"a malformed refresh token reaches the store", "token/refresh.go",
		"if !seal.TokenShaped(value) {",
		"if false && !seal.TokenShaped(value) {",
		nil,
	},
	{
		"the scope of a refresh request is ignored", "token/refresh.go",
		"plan, err := x.narrow(requested, &x.grant",
		"plan, err := x.narrow(requested[:0], &x.grant",
		nil,
	},
	{
		"a refresh gains resources", "token/refresh.go",
		`granted, err := resources(x.Form.All("resource"), &x.grant)`,
		`granted, err := x.Form.All("resource"), error(nil)`,
		nil,
	},
}

var claimsDefects = []defect{
	{
		"a customer that left is not noticed", "token/check.go",
		`c.CustomerOf(g.Customer); !ok {`, `c.CustomerOf(g.Customer); !ok && g.Customer == "nobody" {`,
		tests("digdir/authorizations", "TestConsentLife"),
	},
	{
		"the tokens of a disabled user are accepted", "token/check.go",
		"case u.Disabled:", "case false:",
		tests(walk, "TestWalks"),
	},
	{
		"a grant is valid at its end", "token/check.go",
		"if !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt) {",
		"if !g.ExpiresAt.IsZero() && now.After(g.ExpiresAt) {",
		nil,
	},
	{
		"the client of a grant is not loaded again", "token/check.go",
		`if c, err = client.Lookup(ctx, m.cfg.Clients, g.ClientID); errors.Is(err, storage.ErrNotFound) {
			return nil, errClientDisabled`,
		`if c, err = client.Lookup(ctx, m.cfg.Clients, g.ClientID); errors.Is(err, storage.ErrNotFound) {
			return &client.Client{ClientID: g.ClientID}, nil`,
		nil,
	},
	{
		"the tokens of a removed user are accepted", "token/check.go",
		`	case errors.Is(err, storage.ErrNotFound):
		return User{}, errUserDisabled
`,
		`	case errors.Is(err, storage.ErrNotFound):
		return User{}, nil
`,
		nil,
	},
	{
		"an access token is valid at its end", "token/check.go",
		"case !now.Before(t.ExpiresAt), !now.Before(g.ExpiresAt):",
		"case now.After(t.ExpiresAt), !now.Before(g.ExpiresAt):",
		nil,
	},
	{
		"an id_token is for the issuer", "token/idtoken.go",
		"Sub: f.sub, Aud: f.client.ClientID,",
		"Sub: f.sub, Aud: m.cfg.Issuer,",
		nil,
	},
	{
		"an id_token lives as long as the access token", "token/idtoken.go",
		"now + int64(m.cfg.Lifetimes.IDToken/time.Second)",
		"now + int64(m.cfg.Lifetimes.AccessToken/time.Second)",
		nil,
	},
	{
		"auth_time is the time of the token", "token/idtoken.go",
		"AuthTime: unixOrZero(g.AuthTime),",
		"AuthTime: now,",
		nil,
	},
	{
		"an id_token has no acr", "token/idtoken.go",
		"if m.cfg.Form.WithoutACR {",
		"if !m.cfg.Form.WithoutACR {",
		nil,
	},
	{
		"an id_token has no sid", "token/idtoken.go",
		"SID: g.SID, Details",
		"Details",
		nil,
	},
	{
		"an access token for a client is issued", "token/mint.go",
		`if err == nil && !ok {
			err = refuse`,
		`if err == nil && !ok && aud == "" {
			err = refuse`,
		nil,
	},
	{
		"an access token outlives its grant", "token/mint.go",
		"in.Plan.AccessTokenMaxAge, in.Grant.ExpiresAt)",
		"in.Plan.AccessTokenMaxAge, time.Time{})",
		nil,
	},
	{
		"the limit of a scope does not shorten its tokens", "token/mint.go",
		"lifetime, in.Plan.AccessTokenMaxAge, in",
		"lifetime, 0, in",
		nil,
	},
	{
		"an access token is stored in clear", "token/mint.go",
		"t.Hash = storage.HashOf(res.AccessToken)",
		"copy(t.Hash[:], res.AccessToken)",
		nil,
	},
	{
		"an opaque token is self-contained", "token/mint.go",
		`if t.Opaque {
`,
		`if t.Opaque && len(t.Audience) > 0 {
`,
		nil,
	},
	{
		"an access token has no typ", "token/mint.go",
		"if !m.cfg.UntypedAccessTokens {",
		"if m.cfg.UntypedAccessTokens {",
		nil,
	},
	{
		"a refresh token lives longer at each rotation than its grant", "token/mint.go",
		"end := scope.Expiry(from, idle, 0, in.Grant.ExpiresAt)",
		"end := scope.Expiry(from, idle, 0, time.Time{})",
		nil,
	},
	{
		"the idle lifetime of the first refresh token counts from the login", "token/mint.go",
		"res.RefreshToken, from = seal.NewToken(), now",
		"res.RefreshToken, from = seal.NewToken(), in.Grant.CreatedAt",
		nil,
	},
	{
		"identifiers that collide are replaced without a bound", "token/mint.go",
		"for range maxCollisions {",
		"for range maxCollisions * 1000 {",
		nil,
	},
	{
		"the tokens of a peer that disconnected are stored and lost", "token/mint.go",
		"if err := ctx.Err(); err != nil {",
		"if err := ctx.Err(); err != nil && now.IsZero() {",
		nil,
	},
	{
		"a second is promised that the grant does not have", "token/mint.go",
		"if grant.ExpiresAt.Unix() <= now.Unix() {",
		"if grant.ExpiresAt.Unix() < now.Unix() {",
		nil,
	},
	{
		"userinfo accepts tokens for other APIs", "token/userinfo.go",
		"if !opensUserInfo(&access, x.cfg.Issuer) {",
		"if len(access.Audience) > 1 && !opensUserInfo(&access, x.cfg.Issuer) {",
		nil,
	},
	{
		"userinfo accepts unbound tokens for other APIs", "token/userinfo.go",
		"|| t.Confirmation != (storage.Confirmation{})",
		"|| t.Confirmation == (storage.Confirmation{})",
		nil,
	},
	{
		"userinfo accepts tokens without its scope", "token/userinfo.go",
		"case !slices.Contains(t.Scopes, x.cfg.UserInfoScope), f",
		"case f",
		nil,
	},
	{
		"an access token may be sent twice", "token/userinfo.go",
		`case err == nil && inHeader != "" && inForm != "":`,
		`case err != nil && inHeader != "" && inForm != "":`,
		nil,
	},
	{
		"a public client introspects", "token/introspection.go",
		"if c.Public() {",
		"if c.Public() && c.Introspects() {",
		nil,
	},
	{
		"another client introspects a refresh token", "token/introspection.go",
		"if q.caller.ClientID != g.ClientID {",
		"if q.caller.ClientID != g.ClientID && !q.caller.Introspects {",
		nil,
	},
	{
		"a refresh token is active at its end", "token/introspection.go",
		"if !q.now.Before(end) {",
		"if q.now.After(end) {",
		nil,
	},
	{
		"an ended grant is active", "token/introspection.go",
		`	if _, is := ended(err); is {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	about.Granted`,
		`	if _, is := ended(err); !is && err != nil {
		return nil, err
	}
	about.Granted`,
		nil,
	},
	{
		"a resource server sees the scopes of others", "token/introspection.go",
		"return !scope.Reserved(name) && !pseudonym",
		"return scope.Reserved(name) && !pseudonym",
		nil,
	},
}

var scopesDefects = []defect{
	{
		"a removed scope of the host is that of the profile again", "provider/validate.go",
		"if host.Scope(s.Name) == nil {", "if true {",
		tests("provider", "TestRemovedScopeStaysRemoved"),
	},
	{
		"a client gets a scope that it has not registered", "scope/access.go",
		"if !slices.Contains(c.Scopes, name) {",
		"if !slices.Contains(c.Scopes, name) && len(c.Scopes) == 0 {",
		nil,
	},
	{
		"an inactive scope is granted", "scope/access.go",
		`	case s.Inactive:
		return nil, Inactive
`,
		"",
		nil,
	},
	{
		"an integration type gets the scopes of another one", "scope/access.go",
		"case len(s.AllowedIntegrationTypes) > 0 && !slices",
		"case len(s.AllowedIntegrationTypes) > 1 && !slices",
		nil,
	},
	{
		"an organisation without access gets a scope", "scope/access.go",
		`case c.Organisation == "" || src.Access(name, c.Organisation) != Approved,`,
		`case c.Organisation == "" || src.Access(name, c.Organisation) == Denied,`,
		nil,
	},
	{
		"a consumer that was denied gets a scope through a supplier", "scope/access.go",
		"src.Access(name, c.Consumer) == Denied:",
		"src.Access(name, c.Consumer) == Approved:",
		nil,
	},
	{
		"one refused scope is left out of the request", "scope/evaluate.go",
		"case len(refused) > 0: // one",
		"case len(refused) > 1: // one",
		nil,
	},
	{
		"no_pid alone is a request", "scope/evaluate.go",
		"if name == NoPID && r.AllowNoPID && len(r.Requested) > 1 {",
		"if name == NoPID && r.AllowNoPID {",
		nil,
	},
	{
		"a scope that needs a new login does not require one", "scope/evaluate.go",
		"p.NeedsFreshLogin = p.NeedsFreshLogin || s.RequiresUserAuthentication",
		"p.NeedsFreshLogin = p.NeedsFreshLogin && s.RequiresUserAuthentication",
		nil,
	},
	{
		"a token has the highest lifetime of its scopes", "scope/evaluate.go",
		"lower(p.AccessTokenMaxAge, seconds(s.ATMaxAge))",
		"max(p.AccessTokenMaxAge, seconds(s.ATMaxAge))",
		nil,
	},
	{
		"offline_access is a login-only scope", "scope/evaluate.go",
		"p.LoginOnly = p.LoginOnly && loginOnly(s.Name)",
		"p.LoginOnly = p.LoginOnly && Reserved(s.Name)",
		nil,
	},
	{
		"a requested scope that was not granted is in the token", "scope/narrow.go",
		`if !slices.Contains(granted, name) {
			return Plan{}, ErrNotGranted`,
		`if !slices.Contains(granted, name) && !slices.Contains(c.Scopes, name) {
			return Plan{}, ErrNotGranted`,
		nil,
	},
	{
		"a requested scope that was withdrawn is left out silently", "scope/narrow.go",
		`case len(requested) > 0:
			return Plan{}, ErrNotGranted`,
		`case len(requested) > 1:
			return Plan{}, ErrNotGranted`,
		nil,
	},
	{
		"a narrowed token is not login-only", "scope/narrow.go",
		"p.LoginOnly = loginOnlyGrant",
		"p.LoginOnly = p.LoginOnly && loginOnlyGrant",
		nil,
	},
}

var detailsDefects = []defect{
	{
		"a refresh keeps lost details", "token/refresh.go",
		"x.cfg.AuthorizationDetails.Refresh)", "x.cfg.AuthorizationDetails.Redeem)",
		tests("token", "TestDetailsAreEvaluatedAgain"),
	},
	{
		"a refresh widens details", "rar/refresh.go",
		"return within(text, d.JSON)", "return within(text, d.JSON) || true",
		tests("rar", "TestRefresh"),
	},
	{
		"declined authorization_details are granted", "rar/offer.go",
		"case p.t.NoApproval:", "case p.t.NoApproval || p.t.Choices == nil:",
		tests(walk, "TestWalks"),
	},
	{
		"authorization_details of an unknown type are ignored", "rar/rar.go",
		`if !ok {
			return nil, ErrUnknownType`,
		`if !ok && len(details) > 1 {
			return nil, ErrUnknownType`,
		nil,
	},
	{
		"authorization_details have unknown members", "rar/rar.go",
		`if name != "type" && !slices.Contains(t.Members, name) {`,
		`if name == "" && !slices.Contains(t.Members, name) {`,
		nil,
	},
	{
		"authorization_details have any number", "rar/rar.go",
		"if len(details) == 0 || len(details) > MaxDetails {",
		"if len(details) == 0 {",
		nil,
	},
	{
		"authorization_details have any length", "rar/rar.go",
		"if len(raw) > MaxBytes {",
		"if len(raw) > 100*MaxBytes {",
		nil,
	},
	{
		"a type that must be alone is mixed with others", "rar/rar.go",
		"if t.Alone && slices",
		"if !t.Alone && len(details) > MaxDetails && slices",
		nil,
	},
	{
		"a choice that was not offered is selected", "rar/selection.go",
		"if len(ordered) != len(selected) {",
		"if len(ordered) > len(selected) {",
		nil,
	},
	{
		"two choices have one ID", "rar/selection.go",
		`if c.ID == "" || seen[c.ID] {`,
		`if c.ID == "" {`,
		nil,
	},
}

var exchangeDefects = []defect{
	{
		"a client that acts for a customer no more is not noticed in exchanged tokens", "token/check.go",
		"_, err = m.client(ctx, &parent, nil)", `p := parent; p.Customer = ""; _, err = m.client(ctx, &p, nil)`,
		tests("exchange", "TestCustomerOfTheSubject"),
	},
	{
		"an id_token is exchanged after a logout", "exchange/grant.go",
		"g.Customer, g.SessionID = from.Customer, from.SessionID", "g.Customer = from.Customer",
		tests("exchange", "TestEndOfTheLogin"),
	},
	{
		"scopes that are added to an id_token need no consent", "token/check.go",
		"addedScopes(g, &t.Grant), live, now)", "nil, live, now)",
		tests("exchange", "TestForeignSubjectsAreChecked"),
	},
	{
		"a token outlives its actor token", "exchange/actor.go",
		"if x.actor != nil {\n\t\td.ActorToken", "if false {\n\t\td.ActorToken",
		tests("exchange", "TestEndOfTheActorToken"),
	},
	{
		"an exchanged token outlives its subject token", "token/check.go",
		"return live, m.checkParents(ctx, g, &live, now)", "return live, nil",
		tests(walk, "TestWalks"),
	},
	{
		"an exchange gains a target of no one", "exchange/narrow.go",
		"if !slices.Contains(x.decision.Audience, target) {",
		"if x.decision.Audience != nil && !slices.Contains(x.decision.Audience, target) {",
		nil,
	},
	{
		"an exchange gains a client as target", "exchange/narrow.go",
		`if err == nil && !ok {
		return badTarget`,
		`if err == nil && !ok && target == "" {
		return badTarget`,
		nil,
	},
	{
		"the targets of an exchange are unbounded", "exchange/narrow.go",
		"if len(a.audience) > maxTargets {",
		"if len(a.audience) > 100*maxTargets {",
		nil,
	},
	{
		"the policy does not bound the scopes of an exchange", "exchange/narrow.go",
		`case bound != nil:
`,
		`case bound == nil:
`,
		nil,
	},
	{
		"a public client exchanges tokens of others", "exchange/grant.go",
		"if x.Client.Public() && !x.narrowsOwn() {",
		"if x.Client.Public() && x.narrowsOwn() {",
		nil,
	},
	{
		"tokens of others are exchanged without a policy", "exchange/grant.go",
		`		if !x.narrowsOwn() {
			return subjectRole.badToken("policy_missing")
		}
`,
		"",
		nil,
	},
	{
		"the policy does not bound the lifetime of an exchange", "exchange/grant.go",
		"{x.cfg.MaxLifetime, x.decision.Lifetime}",
		"{x.cfg.MaxLifetime}",
		nil,
	},
	{
		"an exchanged token outlives the presented actor token", "exchange/grant.go",
		"end = earliest(end, x.actor.ExpiresAt)",
		"end = earliest(end, x.subject.ExpiresAt)",
		nil,
	},
	{
		"exchanges have no bound", "exchange/grant.go",
		"if exchanges >= token.MaxExchanges {",
		"if exchanges >= 100*token.MaxExchanges {",
		nil,
	},
	{
		"the exchanges of an actor token are not counted", "exchange/grant.go",
		`		exchanges += x.actor.exchanges
`,
		"",
		nil,
	},
	{
		"the type of an actor token that is missing is ignored", "exchange/grant.go",
		`case f.Has("actor_token") != f.Has("actor_token_type"):`,
		`case f.Has("actor_token") && !f.Has("actor_token_type"):`,
		nil,
	},
	{
		"an expired token of another issuer is exchanged", "exchange/grant.go",
		"if end.Unix() <= x.Now.Unix() {",
		"if end.Unix() < x.Now.Unix()-3600 {",
		nil,
	},
	{
		"actors have no bound", "exchange/actor.go",
		"if length >= x.cfg.MaxActors {",
		"if length > 100*x.cfg.MaxActors {",
		nil,
	},
	{
		"may_act is ignored", "exchange/actor.go",
		"if !x.cfg.mayActAllows(x.subject.grant.Delegation.MayAct, current, known) {",
		"if !x.cfg.mayActAllows(x.subject.grant.Delegation.MayAct, current, known) && !known {",
		nil,
	},
	{
		"an actor is named by a national identity number", "exchange/actor.go",
		`if sub == "" || holdsPID(sub) || holdsPID(a.ClientID)`,
		`if sub == "" || holdsPID(a.ClientID)`,
		nil,
	},
	{
		"an actor looks like an organisation", "exchange/actor.go",
		" || isOrganisation(a.Subject) {",
		" {",
		nil,
	},
	{
		"the actors of an actor token are dropped", "exchange/actor.go",
		"if len(a.grant.Delegation.Actor) > 0 {",
		"if len(a.grant.Delegation.Actor) > 1<<20 {",
		nil,
	},
	{
		"earlier actors are dropped", "exchange/actor.go",
		`	current.Act = earlier
`,
		"",
		nil,
	},
}

var resourceDefects = []defect{
	{
		"an API ignores members of cnf that it cannot verify", "resource/binding.go",
		"return storage.Confirmation{}, false\n\t\t}", "continue\n\t\t}",
		tests("resource", "TestHostileTokens"),
	},
	{
		"an introspection response of another issuer is accepted", "resource/introspection.go",
		"case iss != i.name:", "case iss == \"\":",
		tests("resource", "TestSignedIntrospection"),
	},
	{
		"an introspection response for another API is accepted", "resource/introspection.go",
		"case !slices.Contains(aud, i.introspection.ClientID):", "case !slices.Contains(aud, i.introspection.ClientID) && len(aud) == 0:",
		tests("resource", "TestSignedIntrospection"),
	},
	{
		"every client gets signed introspection responses", "token/introspectionjwt.go",
		"if !c.Introspects() && len(c.Resources) == 0 {", "if c.Public() {",
		tests("token", "TestSignedIntrospectionIsForResourceServers"),
	},
	{
		"a client with signed introspection responses gets others", "token/introspectionjwt.go",
		"registered := c.IntrospectionSignedResponseAlg != \"\"", "registered := named && c.IntrospectionSignedResponseAlg != \"\"",
		tests("token", "TestSignedIntrospectionIsChosen"),
	},
	{
		"an API accepts a token without its scopes", "resource/rules.go",
		"if !t.HasScope(name) {",
		"if !t.HasScope(name) && len(t.Scopes) == 0 {",
		nil,
	},
	{
		"an API accepts a machine where a user is required", "resource/rules.go",
		"if (r.RequireUser || r.ACR",
		"if (r.RequireUser && r.ACR",
		nil,
	},
	{
		"an API accepts a user where a machine is required", "resource/rules.go",
		"if r.RequireMachine && !t.IsMachine() {",
		"if r.RequireMachine && t.IsMachine() && t.HasUser() {",
		nil,
	},
	{
		"an API accepts a weak login", "resource/rules.go",
		`weak := r.ACR != "" && !r.levels().AtLeast(t.ACR, r.ACR)`,
		`weak := r.ACR != "" && !r.levels().AtLeast(r.ACR, t.ACR)`,
		nil,
	},
	{
		"an API accepts an old login", "resource/rules.go",
		"now.Sub(t.AuthTime) > r.MaxAge //",
		"now.Sub(t.AuthTime) > 2*r.MaxAge //",
		nil,
	},
	{
		"an API accepts every consumer", "resource/rules.go",
		"case len(r.Consumers) > 0 && !o.in(r.Consumers):",
		"case len(r.Consumers) > 1 && !o.in(r.Consumers):",
		nil,
	},
	{
		"an API accepts a sub-entity as its organisation", "resource/rules.go",
		`case o.SubEntity != "" && !r.AllowSubEntities:`,
		`case o.SubEntity != "" && r.AllowSubEntities:`,
		nil,
	},
	{
		"an API accepts any delegation source", "resource/rules.go",
		`if t.DelegationSource != "" && !slices.Contains(r.DelegationSources, t.DelegationSource) {`,
		`if t.DelegationSource != "" && len(r.DelegationSources) == 0 {`,
		nil,
	},
	{
		"an API accepts a token about another person", "resource/rules.go",
		"case !r.PID.IsZero() && t.PID != r.PID:",
		"case r.PID.IsZero() && t.PID != r.PID:",
		nil,
	},
	{
		"an API accepts an expired consent", "resource/rules.go",
		"case !now.Before(c.ValidTo):",
		"case now.After(c.ValidTo):",
		nil,
	},
	{
		"an API accepts the consent of another organisation", "resource/rules.go",
		"case c.To.Orgno != t.Consumer.Orgno || c.To",
		"case c.To",
		nil,
	},
	{
		"an API accepts bearer tokens where bound ones are required", "resource/rules.go",
		"if r.SenderConstrained && t.Confirmation == (storage.Confirmation{}) {",
		`if r.SenderConstrained && t.Confirmation.Key != "" {`,
		nil,
	},
	{
		"rules without scopes permit everything", "resource/rules.go",
		"len(r.Scopes)+len(r.AnyScope) > 0 || r.AllowNoScope, ",
		"len(r.Scopes)+len(r.AnyScope) >= 0 || r.AllowNoScope, ",
		nil,
	},
	{
		"an API accepts tokens of another issuer", "resource/claims.go",
		"if t.Issuer != i.name && (t",
		`if t.Issuer == "" && (t`,
		nil,
	},
	{
		"an API accepts a token without exp", "resource/claims.go",
		"case t.ExpiresAt.IsZero():",
		"case t.ExpiresAt.IsZero() && t.atJWT:",
		nil,
	},
	{
		"two verifiers of one issuer", "resource/verifier.go",
		"if all.issuer(i.name) != nil {",
		"if all.issuer(i.name) != nil && i.introspection != nil {",
		nil,
	},
	{
		"a key set is fetched over plain http", "resource/keys.go",
		`case u.Scheme == "https", u.Scheme == "http" && fields.PlainHTTP(u.Hostname()):`,
		`case u.Scheme == "https", u.Scheme == "http":`,
		nil,
	},
	{
		"keys are fetched at each unknown kid", "resource/cache.go",
		"now.Sub(c.tried).Abs() < c.refetch {",
		"now.Sub(c.tried).Abs() < 0 {",
		nil,
	},
	{
		"keys that are old for days are used", "resource/cache.go",
		"return now.Before(c.until.Add(slack)) && ",
		"return ",
		nil,
	},
}

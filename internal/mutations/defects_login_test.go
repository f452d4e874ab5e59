package mutations

var redirectDefects = []defect{
	{
		"//token is redirected with 307", "provider/provider.go",
		"if other != nil && httpx.CleanPath(r.URL) {", "if other != nil {",
		tests("provider", "TestHandler", "TestNoPathRepeatsAPost"),
	},
	{
		"a redirect URI that begins with a registered one matches", "client/redirect.go",
		"return slices.Contains(registered, uri)",
		"return slices.ContainsFunc(registered, func(r string) bool { return strings.HasPrefix(uri, r) })",
		nil,
	},
	{
		"the case of a redirect URI is ignored", "client/redirect.go",
		"return slices.Contains(registered, uri)",
		"return slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(uri, r) })",
		nil,
	},
	{
		"the redirect URIs of a client are those of its logout", "client/redirect.go",
		"return c.match(c.PostLogoutRedirectURIs, uri)",
		"return c.match(c.RedirectURIs, uri)",
		nil,
	},
	{
		"the port of a web client on loopback may differ", "client/redirect.go",
		`if c.ApplicationKind() == Native {
		if l, ok`,
		`if c.ApplicationKind() != Browser {
		if l, ok`,
		nil,
	},
	{
		"the address of a loopback redirect may differ", "client/redirect.go",
		"return ok && r.origin == l.origin && r.rest == l.rest &&",
		"return ok && r.rest == l.rest &&",
		nil,
	},
	{
		"the path of a loopback redirect may differ", "client/redirect.go",
		"return ok && r.origin == l.origin && r.rest == l.rest &&",
		"return ok && r.origin == l.origin &&",
		nil,
	},
	{
		"localhost is a loopback address of native clients", "client/redirect.go",
		`[...]string{"http://127.0.0.1", "http://[::1]"}`,
		`[...]string{"http://127.0.0.1", "http://[::1]", "http://localhost"}`,
		nil,
	},
	{
		"a loopback redirect may continue the address", "client/redirect.go",
		`return l, l.rest == "" || l.rest[0] == '/' || l.rest[0] == '?'`,
		"return l, true",
		nil,
	},
	{
		"a port may be above 65535", "client/redirect.go",
		"return n <= 65535",
		"return n <= 99999",
		nil,
	},
	{
		"a port of a loopback redirect may be malformed", "client/redirect.go",
		"if l.hasPort && !validPort(l.port) {",
		`if l.hasPort && l.port == "" {`,
		nil,
	},
	{
		"every origin calls the endpoints of a web client", "client/redirect.go",
		`if c.ApplicationKind() != Browser {
		return nil`,
		`if c.ApplicationKind() == Native {
		return nil`,
		nil,
	},
	{
		"a redirect URI may have user information", "client/uri.go",
		`case u.User != nil || strings.Contains(u.Host, "@"):`,
		`case strings.Contains(u.Host, "@"):`,
		nil,
	},
	{
		"a redirect URI may have a fragment", "client/uri.go",
		"case b == '#':",
		"case b == 0:",
		nil,
	},
	{
		"a redirect URI may have wildcards", "client/uri.go",
		"case b == '*':",
		"case b == 0:",
		nil,
	},
	{
		"a redirect URI may have spaces and other controls", "client/uri.go",
		"case b <= ' ' || b >= 0x7f:",
		"case b >= 0x7f:",
		nil,
	},
	{
		"a redirect URI may encode control characters", "client/uri.go",
		"if v < 0x20 || v == 0x7f {",
		"if v == 0x7f {",
		nil,
	},
	{
		"a redirect URI may be javascript", "client/uri.go",
		`case scheme == "javascript", scheme == "data", scheme == "vbscript":`,
		`case scheme == "data", scheme == "vbscript":`,
		nil,
	},
	{
		"a web client may have a private-use scheme", "client/uri.go",
		`case kind != Native:
`,
		`case kind == Browser:
`,
		nil,
	},
	{
		"a private-use scheme may be one word", "client/uri.go",
		"if len(labels) < 2 {",
		"if len(labels) < 1 {",
		nil,
	},
	{
		"a redirect URI may encode slashes", "client/uri.go",
		`case v == '/' || v == '\\':`,
		`case v == '\\':`,
		nil,
	},
	{
		"a redirect URI may be encoded twice", "client/uri.go",
		"case v == '%':",
		"case v == 0:",
		nil,
	},
	{
		"a redirect URI may have dot segments before parameters", "client/uri.go",
		`		segment, _, _ = strings.Cut(segment, ";") // some servers read "..;" as ".."
`,
		"",
		nil,
	},
	{
		"a redirect URI may have the parameter iss", "client/uri.go",
		`[]string{"code", "state", "iss", "error",`,
		`[]string{"code", "state", "error",`,
		nil,
	},
	{
		"the names of response parameters in a redirect URI are case-sensitive", "client/uri.go",
		"if strings.EqualFold(name, r) {",
		"if name == r {",
		nil,
	},
	{
		"an IPv4 address in a redirect URI may have other forms", "client/uri.go",
		`if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {`,
		`if strings.Trim(last, "0123456789") == "" && strings.Count(host, ".") == 3 {`,
		nil,
	},
	{
		"production redirects to plain http", "client/uri.go",
		`if scheme == "http" {
		return "plain http is for test`,
		`if scheme == "http" && local {
		return "plain http is for test`,
		nil,
	},
	{
		"native clients use plain http anywhere", "client/uri.go",
		`if scheme == "http" && !local {`,
		`if scheme == "http" && local && env.Test {`,
		nil,
	},
	{
		"a redirect URI need not be canonical", "client/uri.go",
		"case !plain && u.String() != raw:",
		`case u.String() == "":`,
		nil,
	},
	{
		"a missing redirect_uri is the registered one", "authorize/refusal.go",
		`uri := form.Get("redirect_uri")`,
		`uri := form.Get("redirect_uri")
	if uri == "" {
		uri = c.RedirectURIs[0]
	}`,
		nil,
	},
	{
		"the first of several redirect_uri counts", "authorize/refusal.go",
		`case repeated(form, "redirect_uri"):`,
		`case form.Count("redirect_uri") > 2:`,
		nil,
	},
	{
		"a redirect URI that is not registered receives the error", "authorize/refusal.go",
		"case len(uri) > maxRedirectURI || !c.MatchRedirectURI(uri):",
		"case len(uri) > maxRedirectURI:",
		nil,
	},
	{
		"a stored redirect URI is not validated again", "authorize/refusal.go",
		"if err := c.CheckURI(uri, env); err != nil {",
		"if err := c.CheckURI(uri, env); err != nil && env.Test {",
		nil,
	},
	{
		"a malformed state is returned", "authorize/refusal.go",
		`if s := form.Get("state"); httpx.ValidState(s) && !repeated(form, "state") {`,
		`if s := form.Get("state"); !repeated(form, "state") {`,
		nil,
	},
	{
		"one of several states is returned", "authorize/refusal.go",
		`if s := form.Get("state"); httpx.ValidState(s) && !repeated(form, "state") {`,
		`if s := form.Get("state"); httpx.ValidState(s) {`,
		nil,
	},
	{
		"a client_id may be repeated", "authorize/resolve.go",
		`case repeated(form, "client_id"):`,
		`case form.Count("client_id") > 2:`,
		nil,
	},
	{
		"response_type may be anything", "authorize/request.go",
		`	case "code":
		return nil
`,
		`	case "code", "code id_token":
		return nil
`,
		nil,
	},
	{
		"parameters may be repeated", "authorize/request.go",
		`if q.form.Repeated() != "" {`,
		`if q.form.Repeated() == "response_type" {`,
		nil,
	},
	{
		"a client without the grant type gets codes", "authorize/request.go",
		"case !q.client.HasGrant(client.AuthorizationCode):",
		"case q.client == nil:",
		nil,
	},
}

var pkceDefects = []defect{
	{
		"PKCE is optional for every client", "pkce/pkce.go",
		`if p.Optional && method == "" {`,
		`if method == "" {`,
		nil,
	},
	{
		"a method without a challenge is ignored", "pkce/pkce.go",
		`if p.Optional && method == "" {`,
		"if p.Optional {",
		nil,
	},
	{
		"plain is a method", "pkce/pkce.go",
		"if method != S256 {",
		`if method != S256 && method != "plain" {`,
		nil,
	},
	{
		"a missing method is S256", "pkce/pkce.go",
		"if method != S256 {",
		`if method != S256 && method != "" {`,
		nil,
	},
	{
		"a challenge may have any length", "pkce/pkce.go",
		"if len(challenge) != challengeLength {",
		"if len(challenge) < challengeLength {",
		nil,
	},
	{
		"a challenge has several spellings", "pkce/pkce.go",
		"base64.RawURLEncoding.Strict()",
		"base64.RawURLEncoding",
		nil,
	},
	{
		"a challenge with a line break decodes", "pkce/pkce.go",
		"return hash, err == nil && n == sha256.Size",
		"return hash, err == nil && n >= 0",
		nil,
	},
	{
		"a code without a challenge needs no verifier", "pkce/pkce.go",
		`case challenge == "" && !p.Optional:`,
		`case challenge == "" && !p.Optional && verifier != "":`,
		nil,
	},
	{
		"a verifier without a challenge is ignored", "pkce/pkce.go",
		`case challenge == "" && verifier != "":`,
		`case challenge == "" && verifier == challenge+"-":`,
		nil,
	},
	{
		"a verifier may be short", "pkce/pkce.go",
		"if len(verifier) < minVerifierLength || len(verifier) > maxVerifierLength {",
		"if len(verifier) > maxVerifierLength {",
		nil,
	},
	{
		"a verifier may have 42 characters", "pkce/pkce.go",
		"minVerifierLength = 43",
		"minVerifierLength = 42",
		nil,
	},
	{
		"a verifier has at most 127 characters", "pkce/pkce.go",
		"len(verifier) > maxVerifierLength {",
		"len(verifier) >= maxVerifierLength {",
		nil,
	},
	{
		"a verifier may have any characters", "pkce/pkce.go",
		"if !unreserved(verifier[i]) {",
		"if verifier[i] == 0 {",
		nil,
	},
	{
		"the verifier is not compared", "pkce/pkce.go",
		"if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {",
		"if subtle.ConstantTimeCompare(got[:], want[:]) > 1 {",
		nil,
	},
	{
		"the first byte of the verifier is compared", "pkce/pkce.go",
		"ConstantTimeCompare(got[:], want[:])",
		"ConstantTimeCompare(got[:1], want[:1])",
		nil,
	},
	{
		"a profile that requires a challenge takes requests without", "authorize/request.go",
		`policy.Optional = policy.Optional && !e.cfg.requires("code_challenge")`,
		`policy.Optional = policy.Optional || e.cfg.requires("code_challenge")`,
		then("provider"),
	},
	{
		"the challenge is not stored with the code", "authorize/issue.go",
		"CodeChallenge: x.req.challenge, ",
		"",
		nil,
	},
	{
		"the verifier is not verified at the token endpoint", "token/code.go",
		`if x.Client.PKCE().Verify(x.code.CodeChallenge, x.Form.Get("code_verifier")) != nil {`,
		`if x.Client.PKCE().CheckRequest(x.code.CodeChallenge, "S256") != nil {`,
		nil,
	},
}

var sessionDefects = []defect{
	{
		"a circle vouches for the login of another one", "authorize/load.go",
		"e.cfg.Sessions.Identity(sess, f.circle.Name)", "e.cfg.Sessions.Identity(sess, sess.Circles[0].Name)",
		tests(walk, "TestWalks"),
	},
	{
		"a code is stored without the visit of its session", "authorize/issue.go",
		"RetainTo: retain, Visit: &visit,", "RetainTo: retain, Visit: &storage.Visit{Session: visit.Session},",
		tests(walk, "TestWalks"),
	},
	{
		"a visit does not prolong the session to the end of a login-only grant", "authorize/issue.go",
		"login.Until = g.ExpiresAt", "login.Until = x.now",
		tests("authorize", "TestVisit"),
	},
	{
		"a visit keeps the version of the session", "storage/storage.go",
		"	s.Version++\n	if s.LastRequestAt.Before(v.At) {", "	if s.LastRequestAt.Before(v.At) {",
		tests("storage", "TestVisitsCommute"),
	},
	{
		"a single-use login answers the requests of other tabs", "session/decide.go",
		"case !inThisRequest && r.SingleUse", "case !inThisRequest && !forThisRequest && r.SingleUse",
		tests("provider", "TestSingleUseLoginIsForOneTab"),
	},
	{
		"max_age is ignored", "session/decide.go",
		"case req.HasMaxAge &&", "case false &&",
		tests(walk, "TestWalks"),
	},
	{
		"a session without an end is expired never", "session/decide.go",
		`	case Expired:
		return nil, MaxReached
`,
		"",
		nil,
	},
	{
		"an idle session answers requests", "session/decide.go",
		`	case Idle:
		return nil, IdleReached
`,
		"",
		nil,
	},
	{
		"a login in the future answers every request", "session/decide.go",
		"if auth.AuthTime.After(now.Add(MaxSkew)) {",
		"if auth.AuthTime.After(now.Add(1000 * MaxSkew)) {",
		nil,
	},
	{
		"a low level answers a request for a higher one", "session/decide.go",
		"if req.Sufficient != nil && !req.Sufficient(auth.ACR) {",
		`if req.Sufficient != nil && !req.Sufficient(auth.ACR) && auth.ACR == "" {`,
		nil,
	},
	{
		"prompt=login is ignored", "session/decide.go",
		`case req.PromptLogin:
`,
		`case req.PromptLogin && req.At.IsZero():
`,
		nil,
	},
	{
		"a scope that needs a new login gets an old one", "session/decide.go",
		`case req.FreshScope:
`,
		`case req.FreshScope && req.At.IsZero():
`,
		nil,
	},
	{
		"max_age=0 accepts an old login", "session/decide.go",
		"(req.MaxAge <= 0 || now.Sub(auth.AuthTime) > req.MaxAge)",
		"(req.MaxAge < 0 || now.Sub(auth.AuthTime) > req.MaxAge && req.MaxAge > 0)",
		nil,
	},
	{
		"max_age is counted from the wrong end", "session/decide.go",
		"now.Sub(auth.AuthTime) > req.MaxAge)",
		"auth.AuthTime.Sub(now) > req.MaxAge)",
		nil,
	},
	{
		"a login one second older than max_age is accepted", "session/decide.go",
		"now.Sub(auth.AuthTime) > req.MaxAge)",
		"now.Sub(auth.AuthTime) > req.MaxAge+time.Second)",
		nil,
	},
	{
		"a login before the request counts as made for it", "session/decide.go",
		"!auth.AuthTime.Before(req.At.Truncate(time.Microsecond))",
		"!auth.AuthTime.Before(req.At.Truncate(time.Minute))",
		nil,
	},
	{
		"a login of the first circle answers every client", "session/decide.go",
		"if s.Circles[i].Name == name {",
		"if s.Circles[i].Name == name || i == 0 {",
		nil,
	},
	{
		"an isolated client shares logins", "session/decide.go",
		`if isolated {
		return clientID`,
		`if !isolated {
		return clientID`,
		nil,
	},
	{
		"a user that the host disabled gets codes silently", "authorize/decide.go",
		"case f.circle != nil && f.disabled && f.silent:",
		"case f.circle == nil && f.disabled && f.silent:",
		nil,
	},
	{
		"a disabled user gets codes", "authorize/decide.go",
		`case f.circle != nil && f.disabled:
`,
		`case f.circle != nil && f.disabled && f.otherUser:
`,
		nil,
	},
	{
		"id_token_hint of another user is ignored", "authorize/decide.go",
		"case f.circle != nil && !f.otherUser:",
		"case f.circle != nil:",
		nil,
	},
	{
		"the user chooses for prompt=none", "authorize/decide.go",
		"case f.selection != nil && f.silent:",
		"case f.selection == nil && f.silent && f.declined:",
		nil,
	},
	{
		"prompt=none shows a login page", "authorize/decide.go",
		`case f.silent:
		return next{refuse, "", f.reason, portner.LoginRequired, login}`,
		`case f.silent && f.reason == "":
		return next{refuse, "", f.reason, portner.LoginRequired, login}`,
		nil,
	},
	{
		"prompt=none may be combined", "authorize/request.go",
		"if q.prompt.has(promptNone) && q.prompt != promptNone {",
		"if q.prompt == promptNone && q.prompt.has(promptLogin) {",
		nil,
	},
	{
		"max_age may be negative or text", "authorize/request.go",
		`if err != nil {
		return q.to.invalid("max_age_malformed"`,
		`if err != nil && seconds > 0 {
		return q.to.invalid("max_age_malformed"`,
		nil,
	},
	{
		"a session of another user continues", "session/login.go",
		"subtle.ConstantTimeCompare([]byte(id.Subject), []byte(x.login.Identity.Subject)) != 1",
		"subtle.ConstantTimeCompare([]byte(id.Subject), []byte(x.login.Identity.Subject)) < 0",
		nil,
	},
	{
		"a session that cannot be decrypted is that of the user", "session/login.go",
		"if err != nil || subtle.Constant",
		"if err == nil && subtle.Constant",
		nil,
	},
	{
		"an idle session continues at a login", "session/login.go",
		`	case state == Idle:
		x.cause = string(IdleReached)
	case state != Active:`,
		`	case state != Active && state != Idle:`,
		nil,
	},
	{
		"a login keeps the cookie of the session", "session/login.go",
		"next.Hash = storage.HashOf(value)",
		"next.Hash = s.Hash; _ = storage.HashOf(value)",
		nil,
	},
	{
		"a login of another user leaves the old session", "session/login.go",
		"s, value, err := x.start(ctx, current.Hash)",
		"s, value, err := x.start(ctx, storage.Hash{})",
		nil,
	},
	{
		"a lower login replaces the level of another circle", "session/login.go",
		"old := findCircle(&n, proved.Name)",
		"old := findCircle(&n, n.Circles[0].Name)",
		nil,
	},
	{
		"a login with another level gets the cookie of the first", "session/login.go",
		"appendText(appendText(appendText(room[:0], a.Key), circle), a.ACR)",
		"appendText(appendText(room[:0], a.Key), circle)",
		nil,
	},
	{
		"a session has no end in the store", "session/login.go",
		"ExpiresAt: x.now.Add(x.rules.Limits.max()),",
		"ExpiresAt: x.now.Add(100 * x.rules.Limits.max()),",
		nil,
	},
	{
		"sessions of a user are unbounded", "session/login.go",
		"*s, x.perUser, x.now)",
		"*s, 0, x.now)",
		nil,
	},
	{
		"a client learns the user of another circle", "session/keeper.go",
		`c := findCircle(s, circle)
`,
		`c := &s.Circles[0]
`,
		nil,
	},
	{
		"all clients have one sid", "session/keeper.go",
		"return k.vault.sid(s.ID, clientID)",
		`return k.vault.sid(s.ID, "")`,
		nil,
	},
	{
		"a request by a slow clock shortens the session", "session/keeper.go",
		"if next.LastRequestAt.Before(now) {",
		"if !next.LastRequestAt.IsZero() {",
		nil,
	},
	{
		"a logout that failed clears the cookie", "session/keeper.go",
		`if err == nil || errors.Is(err, storage.ErrNotFound) {
		k.setCookie`,
		`if err != nil || errors.Is(err, storage.ErrNotFound) || s != nil {
		k.setCookie`,
		nil,
	},
}

var pseudonymityDefects = []defect{
	{
		"pseudonymous subjects are those of open grants", "pseudonym/pairwise.go",
		"kind := pseudonymousKind", "kind := openKind",
		tests(walk, "TestWalks"),
	},
	{
		"an organisation sees which pseudonym ends with an identity", "digdir/authorizations/authorizations.go",
		"case !a.mayList(o, owner):", "case false:",
		tests("digdir/authorizations", "TestEndingLinksNoPseudonym"),
	},
	{
		"the scopes without consent decide whether a login is hidden", "authorize/details.go",
		"_, opaque := scope.Privacy(q.scopes, e.cfg.Scopes)", "_, opaque := scope.Privacy(q.plan.Granted, e.cfg.Scopes)",
		tests(walk, "TestWalks"),
	},
	{
		"a document that withholds the user names the subject", "token/facts.go",
		"f.pseudonymous, f.sub = true, \"\"", "f.pseudonymous = true",
		tests(walk, "TestWalks"),
	},
	{
		"HelseID: a pseudonymous token is exchanged for one that identifies the user", "nhn/helseid/exchange.go",
		"if x.subject.Pseudonymous || x.subject.Token.Opaque {", "if x.subject.Token.Opaque {",
		tests("nhn/helseid", "TestExchangeDisclosesNoUser"),
	},
	{
		"all sectors have one subject", "pseudonym/pairwise.go",
		"{kind, sector, id.Type(), id.Reveal()}",
		`{kind, "", id.Type(), id.Reveal()}`,
		nil,
	},
	{
		"fields of a subject are ambiguous", "pseudonym/pairwise.go",
		`		m.in = binary.BigEndian.AppendUint64(m.in, uint64(len(field)))
`,
		`		_ = binary.BigEndian
`,
		nil,
	},
	{
		"a weak key derives subjects", "pseudonym/pairwise.go",
		"minKey = 32",
		"minKey = 16",
		nil,
	},
	{
		"a subject without a sector", "pseudonym/pairwise.go",
		`if sector == "" {`,
		`if sector == "" && id.IsZero() {`,
		nil,
	},
	{
		"an unauthenticated client introspects", "pseudonym/resolve.go",
		`return r.Authenticated && r.ClientID != "" }`,
		`return r.ClientID != "" }`,
		nil,
	},
	{
		"a client that is no resource server introspects tokens of others", "pseudonym/resolve.go",
		"r.ClientID == t.ClientID || r.Introspects && (r.serves",
		"r.ClientID == t.ClientID || (r.serves",
		nil,
	},
	{
		"the owner of no scope owns scopes without an owner", "pseudonym/resolve.go",
		`return r.Orgno != "" && r.Orgno == s.OwnerOrgno }`,
		"return r.Orgno == s.OwnerOrgno }",
		nil,
	},
	{
		"the client of a pseudonymous token reads the pid", "pseudonym/resolve.go",
		`if p == Open {
`,
		`if p == Open || r.ClientID == t.ClientID {
`,
		nil,
	},
	{
		"a listed client reads the pid of a pseudonymous token", "pseudonym/resolve.go",
		"entitled, protects := r.owns, ",
		"entitled, protects := r.entitled, ",
		nil,
	},
	{
		"a resource server of the organisation of the client reads the pid", "pseudonym/resolve.go",
		` || r.Orgno != "" && slices.Contains(t.Organisations, r.Orgno)
`,
		`
`,
		nil,
	},
	{
		"an exchanged token is like one of a stranger", "pseudonym/resolve.go",
		"own := t.Exchanged || r.ClientID",
		"own := r.ClientID",
		nil,
	},
	{
		"the scopes of the grant do not count for the pid", "pseudonym/resolve.go",
		" && !slices.ContainsFunc(t.Granted, foreign)",
		"",
		nil,
	},
	{
		"a resource server of one audience sees all scopes", "pseudonym/resolve.go",
		"served > 0 && (served == len(t.Audience) || s",
		"served > 0 && (served > 0 || s",
		nil,
	},
	{
		"a number with hyphens is no leak", "pseudonym/leaks.go",
		"case c == ' ' || c == '-' || c == '.':",
		"case c == ' ' || c == '.':",
		nil,
	},
	{
		"a number without its leading zero is no leak", "pseudonym/leaks.go",
		"if embedded && id[0] == '0' {",
		"if embedded && id[0] == '1' {",
		nil,
	},
	{
		"escapes hide a leak", "pseudonym/leaks.go",
		"{unescapeJSON, unescapePercent}",
		"{unescapePercent}",
		nil,
	},
	{
		"many escapes hide a leak", "pseudonym/leaks.go",
		`		if len(payload) == before {
			return false
		}
	}
	return true`,
		`		if len(payload) == before {
			return false
		}
	}
	return false`,
		nil,
	},
	{
		"the case of an identifier hides a leak", "pseudonym/leaks.go",
		"if lower(a[i]) != lower(b[i]) {",
		"if a[i] != b[i] {",
		nil,
	},
	{
		"a document of a pseudonymous grant is not searched", "token/facts.go",
		"if !f.pseudonymous || !f.leaks(final) {",
		"if f.pseudonymous || !f.leaks(final) {",
		nil,
	},
	{
		"a pseudonymous token has authorization_details", "token/facts.go",
		`if f.pseudonymous {
		return nil`,
		`if f.pseudonymous && f.sub == "" {
		return nil`,
		nil,
	},
	{
		"a short leak of a subject is not noticed", "token/facts.go",
		"minSearchedSubject = 8",
		"minSearchedSubject = 80",
		nil,
	},
	{
		"the response to a pseudonymous request has authorization_details", "token/facts.go",
		`Protection(m.cfg.Scopes, &f.grant, opaque && f.sub != "") != pseudonym.Open`,
		`Protection(m.cfg.Scopes, &f.grant, opaque && f.sub != "") == pseudonym.Pseudonymous && f.sub == ""`,
		nil,
	},
	{
		"userinfo names the user of an opaque token", "token/userinfo.go",
		"if Protection(x.cfg.Scopes, g, t.Opaque) != pseudonym.Open {",
		"if Protection(x.cfg.Scopes, g, false) != pseudonym.Open {",
		nil,
	},
	{
		"introspection names the user to every resource server", "token/introspection.go",
		"protection == pseudonym.Open && !t.Opaque || pseudonym",
		"protection != pseudonym.Pseudonymous || pseudonym",
		nil,
	},
	{
		"introspection names the user of a pseudonymous token", "token/introspection.go",
		`	if q.mayIdentify(t, g, about) {`,
		`	if q.mayIdentify(t, g, about) || len(about.Audience) > 0 {`,
		nil,
	},
	{
		"authorization_details for other APIs are disclosed", "token/introspection.go",
		`		f.details = nil // they may be for the APIs of others
`,
		"",
		nil,
	},
	{
		"a refresh lifts the pseudonymity of a grant", "token/check.go",
		"if g.Identity != nil && !g.Pseudonymous && m.pseudonymous(g) {",
		"if g.Identity != nil && g.Pseudonymous && !m.pseudonymous(g) {",
		nil,
	},
	{
		"a scope that needs pseudonyms now keeps its open grants", "token/check.go",
		"if g.Identity != nil && !g.Pseudonymous && m.pseudonymous(g) {",
		"if g.Identity == nil && !g.Pseudonymous && m.pseudonymous(g) {",
		nil,
	},
	{
		"declined scopes do not make a request pseudonymous", "scope/evaluate.go",
		`		p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens
`,
		`		p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens && r.Answer == nil
`,
		nil,
	},
	{
		"a narrowed token is not pseudonymous", "scope/narrow.go",
		"if p.Pseudonymous, opaque = Privacy(granted, src); opaque {",
		"if p.Pseudonymous, opaque = Privacy(p.Granted, src); opaque {",
		nil,
	},
	{
		"a scope without a record discloses the user", "scope/narrow.go",
		"opaque = opaque || s == nil || s.opaque()",
		"opaque = opaque || s != nil && s.opaque()",
		nil,
	},
	{
		"an exchange lifts pseudonymity", "exchange/narrow.go",
		`plan.Pseudonymous = plan.Pseudonymous || x.subject.pseudonymous
`,
		`plan.Pseudonymous = plan.Pseudonymous && x.subject.pseudonymous
`,
		nil,
	},
	{
		"a public actor is named beside a pseudonymous subject", "exchange/grant.go",
		"if plan.Pseudonymous && !x.addsNoActor() && x.actor.isPublicUser() {",
		"if plan.Pseudonymous && x.addsNoActor() && x.actor.isPublicUser() {",
		nil,
	},
	{
		"an exchange makes an opaque token self-contained", "exchange/narrow.go",
		"if x.subject.opaque {",
		"if x.subject.opaque && plan.Pseudonymous {",
		nil,
	},
	{
		"the scopes of a stored grant lose the pseudonym of the request", "internal/protection/protection.go",
		"RequiresPseudonym: g.Pseudonymous || requires,",
		"RequiresPseudonym: requires,",
		then("token", "authorize"),
	},
}

var consentDefects = []defect{
	{
		"consents of all customers are one", "authorize/issue.go",
		"return storage.ConsentKey{UserKey: sess.UserKey, ClientID: x.req.client.ClientID, Customer: x.req.client.Party(x.req.onBehalfOf)}",
		"return storage.ConsentKey{UserKey: sess.UserKey, ClientID: x.req.client.ClientID}",
		tests(walk, "TestWalks"),
	},
	{
		"a declined scope keeps its consent", "authorize/issue.go",
		"o.Declined = declined(given)", "o.Declined = nil",
		tests(walk, "TestWalks"),
	},
	{
		"a token outlives its consent", "token/mint.go",
		"if !in.consentEnd.IsZero() && in.consentEnd.Before(grant.ExpiresAt) {", "if false {",
		tests("digdir/authorizations", "TestTokensEndWithTheConsent", "TestTokensEndWithALaterRule"),
	},
	{
		"a consent that is given again revives older grants", "token/check.go",
		"if c.GrantedAt.After(since) {", "if false {",
		tests("digdir/authorizations", "TestConsentLife"),
	},
	{
		"a renewed consent begins anew", "storage/memory/consent.go",
		"now < old.until {", "now < 0 {",
		tests("digdir/authorizations", "TestConsentLife"),
	},
	{
		"cancelling declines", "authorize/pending.go",
		"refused = e.deny(ctx, x, sess, &scope.Answer{})", "refused = e.deny(ctx, x, sess, &scope.Answer{Shown: x.req.scopes})",
		tests("digdir/authorizations", "TestConsentLife"),
	},
	{
		"a scope is granted without the consent it needs", "authorize/decide.go",
		"func (f *facts) needsConsent() bool { return len(f.plan.NeedsConsent) > 0 || len(f.approvable) > 0 }",
		"func (f *facts) needsConsent() bool { return len(f.plan.NeedsConsent) > 1 || len(f.approvable) > 0 }",
		nil,
	},
	{
		"details are granted without the approval they need", "authorize/decide.go",
		"return len(f.plan.NeedsConsent) > 0 || len(f.approvable) > 0 }",
		"return len(f.plan.NeedsConsent) > 0 }",
		nil,
	},
	{
		"a user who declines everything gets a code", "authorize/decide.go",
		`case f.declined:
`,
		`case f.declined && f.silent:
`,
		nil,
	},
	{
		"a code is issued without a scope", "authorize/decide.go",
		`case len(f.plan.Granted) == 0:
`,
		`case f.plan.Granted == nil && f.silent:
`,
		nil,
	},
	{
		"prompt=none shows a consent page", "authorize/decide.go",
		"case f.needsConsent() && f.silent:",
		"case f.needsConsent() && f.silent && f.fresh:",
		nil,
	},
	{
		"a consent does not end with its grant", "authorize/issue.go",
		"GrantedAt: at, ExpiresAt: g.ExpiresAt})",
		"GrantedAt: at})",
		nil,
	},
	{
		"a consent is stored for the texts that are current, not shown", "authorize/issue.go",
		"Version: x.versions[i], ",
		"Version: x.versions[len(x.versions)-1-i], ",
		nil,
	},
	{
		"a grant is older than its consent", "authorize/issue.go",
		"if x.consentedAt.After(g.CreatedAt) {",
		"if x.consentedAt.Before(g.CreatedAt) && !x.consentedAt.IsZero() {",
		then("storage/sqlite"),
	},
	{
		"a declined scope is one that was approved", "authorize/issue.go",
		"if !slices.Contains(a.Approved, name) {",
		"if slices.Contains(a.Approved, name) {",
		nil,
	},
	{
		"a withdrawn consent does not end tokens", "token/check.go",
		`if until.IsZero() {
			return errConsentWithdrawn`,
		`if until.IsZero() && len(stored) == 0 {
			return errConsentWithdrawn`,
		nil,
	},
	{
		"the consent to one scope counts for all", "token/check.go",
		`if !m.requiresConsent(name) {
			continue`,
		`if !m.requiresConsent(name) || live.consentEnd.After(now) {
			continue`,
		nil,
	},
	{
		"the last end of several consents counts", "token/check.go",
		"(l.consentEnd.IsZero() || consentEnd.Before(l.consentEnd))",
		"(l.consentEnd.IsZero() || consentEnd.After(l.consentEnd))",
		nil,
	},
	{
		"a consent of a customer counts for another one at the token endpoint", "token/check.go",
		"ClientID: g.ClientID, Customer: g.Customer}, now)",
		"ClientID: g.ClientID}, now)",
		then("digdir/authorizations", walk),
	},
}

var logoutDefects = []defect{
	{
		"the clients of a dropped session are not notified", "provider/build.go",
		"OnEnded: b.p.notifyEnded, ", "",
		tests(walk, "TestWalks"),
	},
	{
		"a logout returns to any URI of the client", "logout/request.go",
		"if c == nil || !c.MatchPostLogoutRedirectURI(uri) {",
		"if c == nil || !c.MatchPostLogoutRedirectURI(uri) && !c.MatchRedirectURI(uri) {",
		nil,
	},
	{
		"a logout without a client returns to any URI", "logout/request.go",
		"if c == nil || !c.MatchPost",
		"if c != nil && !c.MatchPost",
		nil,
	},
	{
		"a stored logout URI is not validated again", "logout/request.go",
		"if c.CheckURI(uri, e.cfg.Environment) != nil {",
		"if c.CheckURI(uri, e.cfg.Environment) != nil && e.cfg.Environment.Test {",
		nil,
	},
	{
		"the client of the hint may differ", "logout/request.go",
		`if clientID != "" && clientID != h.clientID {`,
		`if clientID == "" && clientID == h.clientID {`,
		nil,
	},
	{
		"parameters of a logout may be repeated", "logout/request.go",
		"if f.Count(name) > 1 {",
		"if f.Count(name) > 2 {",
		nil,
	},
	{
		"a hint of an unknown client logs out", "logout/request.go",
		"if req.hint != nil && req.client == nil {",
		`if req.hint == nil && req.client == nil && clientID == "\x00" {`,
		nil,
	},
	{
		"the state of a logout is returned malformed", "logout/request.go",
		"if !httpx.ValidState(state) {",
		`if !httpx.ValidState(state) && state == "" {`,
		nil,
	},
	{
		"the confirmation of one session logs out another", "logout/confirm.go",
		"return equal(c.SessionID, s.ID) && now",
		"return now",
		nil,
	},
	{
		"a confirmation never ends", "logout/confirm.go",
		"now.Unix() < c.Expires && c.Expires <=",
		"c.Expires <=",
		nil,
	},
	{
		"a form of another site logs out", "logout/confirm.go",
		"if !httpx.SameOrigin(x.request, e.origin) {",
		"if !httpx.SameOrigin(x.request, e.origin) && x.form.Count(fieldConfirm) != 1 {",
		nil,
	},
	{
		"the cancel button logs out", "logout/confirm.go",
		"case x.form.Has(fieldCancel):",
		`case x.form.Has(fieldCancel) && current.ID == "":`,
		nil,
	},
	{
		"a confirmed logout returns to a URI that was removed", "logout/confirm.go",
		"if !e.mayReturn(ctx, x, x.client, in.Registered) {",
		"if !e.mayReturn(ctx, x, x.client, in.Registered) && x.client == nil {",
		nil,
	},
	{
		"a logout token is sent to a private address", "logout/sender.go",
		"if !s.cfg.AllowPrivate && !public(ap.Addr()) {",
		"if s.cfg.AllowPrivate && !public(ap.Addr()) {",
		nil,
	},
	{
		"a logout token is sent to any port", "logout/sender.go",
		"len(s.cfg.Ports) == 0 && (s.cfg.AllowPrivate || ap.Port() == 443)",
		"len(s.cfg.Ports) == 0",
		nil,
	},
	{
		"a logout token is sent over plain http", "logout/sender.go",
		`u.Scheme == "http" && s.cfg.AllowHTTP:`,
		`u.Scheme == "http":`,
		nil,
	},
	{
		"a redirect of a client is followed with the logout token", "logout/sender.go",
		"return http.ErrUseLastResponse }",
		"return nil }",
		nil,
	},
	{
		"a client that rejects a logout token is notified", "logout/sender.go",
		"if resp.StatusCode < 200 || resp.StatusCode > 299 {",
		"if resp.StatusCode < 200 || resp.StatusCode > 499 {",
		nil,
	},
	{
		"an IPv4 address in IPv6 is public", "logout/sender.go",
		"return globalUnicast.Contains(a) && !slices",
		"return !slices",
		nil,
	},
	{
		"the link-local address of a cloud is public", "logout/sender.go",
		`"127.0.0.0/8", "169.254.0.0/16",`,
		`"127.0.0.0/8",`,
		nil,
	},
}

var pushedDefects = []defect{
	{
		"pushed requests are counted per client only", "storage/memory/pushed.go",
		"if name != clientID {", "if name = clientID; name != clientID {",
		tests("storage/memory", "TestPushedRequestsPerAddress"),
	},
	{
		"a request_uri is used by another client", "authorize/resolve.go",
		`case p.ClientID != c.ClientID:
`,
		`case p.ClientID != c.ClientID && c.Public():
`,
		nil,
	},
	{
		"request and request_uri are combined", "authorize/resolve.go",
		`case object && uri != "":`,
		`case object && uri == "":`,
		nil,
	},
	{
		"request_uri may be repeated", "authorize/resolve.go",
		`case repeated(form, "request_uri"):`,
		`case form.Count("request_uri") > 2:`,
		nil,
	},
	{
		"a request_uri on the web is malformed, not unsupported", "authorize/resolve.go",
		`strings.HasPrefix(uri, "http:") || strings.HasPrefix(uri, "https:"):`,
		`strings.HasPrefix(uri, "http:"):`,
		nil,
	},
	{
		"parameters beside a request_uri are accepted where it must be alone", "authorize/resolve.go",
		"if refused == nil && e.cfg.RequestURIAlone &&",
		"if refused != nil && e.cfg.RequestURIAlone &&",
		then("provider"),
	},
	{
		"a pushed request forgets that it was signed", "authorize/resolve.go",
		`kind = pushedSigned
`,
		`kind = pushedPlain
`,
		nil,
	},
	{
		"every pushed request counts as signed", "authorize/resolve.go",
		"signed: params[0] == pushedSigned}, nil",
		"signed: params[0] != 0}, nil",
		nil,
	},
	{
		"a pushed request opens for every client", "authorize/resolve.go",
		"{ return string(hash[:]) + clientID }",
		"{ return string(hash[:]) }",
		nil,
	},
	{
		"a request_uri is not consumed", "authorize/issue.go",
		`if !x.req.isPushed() {
		return nil`,
		`if x.req.isPushed() {
		return nil`,
		nil,
	},
	{
		"a fault of the store consumes no request_uri and issues the code", "authorize/issue.go",
		`if err != nil && !errors.Is(err, storage.ErrConsumed) && !errors.Is(err, storage.ErrNotFound) {
		return faulty`,
		`if err != nil && errors.Is(err, storage.ErrFull) {
		return faulty`,
		nil,
	},
	{
		"a client that must push sends its requests in the front channel", "authorize/request.go",
		`(e.cfg.requires("request_uri") || q.client.RequirePushedAuthorizationRequests) && !q.isPushed():`,
		`e.cfg.requires("request_uri") && !q.isPushed():`,
		nil,
	},
	{
		"a profile that requires pushed requests takes others", "authorize/request.go",
		`(e.cfg.requires("request_uri") || q.client.RequirePushedAuthorizationRequests) && !q.isPushed():`,
		"q.client.RequirePushedAuthorizationRequests && !q.isPushed():",
		then("provider"),
	},
	{
		"a push needs no method POST", "authorize/par.go",
		"if r.Method != http.MethodPost {",
		"if r.Method == http.MethodGet {",
		nil,
	},
}

var signedDefects = []defect{
	{
		"a client with signed responses only gets errors in clear", "authorize/responsemode.go",
		"if hasMode(c, mode) {", "if mode == modeQuery || hasMode(c, mode) {",
		tests("authorize", "TestSignedOnly"),
	},
	{
		"a response that cannot be signed consumes the request", "authorize/issue.go",
		"if response, err = e.respond(x, x.req.to, \"code\", code); err != nil {", "if response, err = e.respond(x, x.req.to, \"code\", code); err != nil && e.commit(commitCtx, x, o) == nil {",
		tests("authorize", "TestResponseCannotBeSigned"),
	},
	{
		"a signed response has no audience", "authorize/jarm.go",
		`"aud": x.client.ClientID, `, ``,
		tests("authorize", "TestSignedResponse"),
	},
	{
		"request objects may live for two hours", "authorize/requestobject.go",
		"if !e.cfg.RequireNBF {", "if e.cfg.RequireNBF || claims.Has(\"nbf\") {",
		tests("authorize", "TestMessageSigning"),
	},
	{
		"parameters beside a request object are added to it", "authorize/requestobject.go",
		"return source{form: inner, signed: true}, nil", "return source{form: httpx.Concat(inner, form.Without(append(inner.Names(), \"request\")...)), signed: true}, nil",
		tests("authorize", "TestParametersBesideTheObject"),
	},
	{
		"a client that must sign sends unsigned requests", "authorize/request.go",
		`(e.cfg.requires("request") || q.client.RequireSignedRequestObject) && !q.signed:`,
		`e.cfg.requires("request") && !q.signed:`,
		nil,
	},
	{
		"a profile that requires signed requests takes unsigned ones", "authorize/request.go",
		`(e.cfg.requires("request") || q.client.RequireSignedRequestObject) && !q.signed:`,
		"q.client.RequireSignedRequestObject && !q.signed:",
		then("provider"),
	},
}

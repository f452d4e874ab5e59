package mutations

var profileDefects = []defect{
	{
		"a host that changes its lists changes which registrations obey the profile", "provider/profile.go",
		"pr.ClientMethods, pr.SigningAlgorithms, pr.ResponseModes = slices.Clone(pr.ClientMethods), slices.Clone(pr.SigningAlgorithms), slices.Clone(pr.ResponseModes)",
		"pr.ClientMethods = slices.Clone(pr.ClientMethods)",
		tests("provider", "TestProfileIsCopied"),
	},
	{
		"a grant handler with registrations of its own issues tokens to clients that the provider does not know", "token/endpoint.go",
		"x.minter.unverified = g.Unauthenticated", "x.minter.unverified = false",
		tests("provider", "TestHandlersFindNoOtherClients"),
	},
	{
		"a client that breaks the profile is an API that access tokens may be for", "provider/registration.go",
		`breaks the profile: %w", client.ErrDisabled)`, `breaks the profile: %w", errors.Unwrap(client.ErrDisabled))`,
		tests("provider", "TestFAPIRegistrations"),
	},
	{
		"a client that breaks the profile is found", "provider/registration.go",
		"return nil, errBreaksProfile", "return c, nil",
		tests("provider", "TestFAPIRegistrations"),
	},
	{
		"the requirements of a profile are not verified", "provider/validate.go",
		"	c.checkRules(p)\n", "",
		tests("provider", "TestFAPIConfiguration"),
	},
	{
		"RS256 is an algorithm of FAPI 2.0", "provider/fapi.go",
		"[]string{keyset.PS256, keyset.ES256, keyset.EdDSA}", "[]string{keyset.PS256, keyset.ES256, keyset.EdDSA, keyset.RS256}",
		tests("provider", "TestFAPIConfiguration", "TestFAPIRegistrations"),
	},
	{
		"refresh tokens of FAPI 2.0 rotate", "provider/registration.go",
		"reuse := pr.ReuseRefreshTokens && c.RefreshTokenUsage == \"\"", "reuse := false",
		tests("provider", "TestFAPIRegistrations"),
	},
	{
		"TLS 1.2 has a suite without authenticated encryption", "provider/fapi.go",
		"MinVersion: tls.VersionTLS12, CipherSuites: []uint16{", "MinVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,",
		tests("examples/idporten", "TestFAPITLS"),
	},
	{
		"a registration of FAPI 2.0 has plain http redirects", "provider/registration.go",
		`return err == nil && (u.Scheme != "http" || c`,
		`return err == nil && (u.Scheme != "" || c`,
		nil,
	},
	{
		"an access of the profile is that of the host", "provider/validate.go",
		`if m.host.Scope(name) != nil {
		return m.host.Access`,
		`if m.host.Scope(name) == nil {
		return m.host.Access`,
		nil,
	},
}

var keysDefects = []defect{
	{
		"one key seals without a bound", "internal/seal/xaes.go",
		"if d.used.Add(1) > perPrefix {", "if d.used.Add(1) > 1<<62 {",
		tests("internal/seal", "TestPrefixIsReplaced"),
	},
	{
		"a key with an algorithm that the profile excludes signs later", "provider/validate.go",
		"phase != keyset.Retired && phase != keyset.Removed &&", "phase == keyset.Active &&",
		tests("provider", "TestAlgorithmsOfTheProfile"),
	},
	{
		"a planned key signs", "keyset/timeline.go",
		"if phase == Active {",
		"if phase != Retired {",
		nil,
	},
	{
		"a planned key is not published before it signs", "keyset/timeline.go",
		"if phase == Planned || phase == Removed {",
		"if phase != Active && phase != Retired {",
		nil,
	},
	{
		"a retired key is not published", "keyset/timeline.go",
		"if phase == Planned || phase == Removed {",
		"if phase == Planned || phase == Removed || phase == Retired {",
		nil,
	},
	{
		"a set whose keys are old signs", "keyset/timeline.go",
		"if t.until.IsZero() || now.Before(t.until) {",
		"if t.until.IsZero() || now.After(t.until) {",
		nil,
	},
	{
		"the next key signs one instant early", "keyset/timeline.go",
		"now.Before(t.views[i].from)",
		"now.Before(t.views[i].from.Add(-1))",
		nil,
	},
	{
		"a key signs before clients know it", "keyset/rotation.go",
		"next.PublishFrom.Before(now) || next.ActiveFrom.Sub(next.PublishFrom) < r.PublishLead {",
		"next.PublishFrom.Before(now) {",
		nil,
	},
	{
		"a key is removed while its tokens live", "keyset/rotation.go",
		"l.RemoveAt = l.RetireAt.Add(r.Keep)",
		"l.RemoveAt = l.RetireAt",
		nil,
	},
	{
		"a key that was in use is added again", "keyset/rotation.go",
		"if k.KID == next.KID {",
		"if k.KID == next.KID && k.Alg != next.Alg {",
		nil,
	},
	{
		"the last key retires", "keyset/rotation.go",
		"case successor == nil && k.Alg == s.defaultAlg && !k.RetireAt.IsZero():",
		"case successor != nil && k.Alg == s.defaultAlg && k.RetireAt.IsZero():",
		nil,
	},
	{
		"a directory of keys may be read by all", "keyset/directory.go",
		"if mode := info.Mode().Perm(); mode&forbidden != 0",
		"if mode := info.Mode().Perm(); mode&forbidden == 0o777",
		nil,
	},
	{
		"a file of keys may be of any user", "keyset/directory.go",
		"known && owner != 0 && owner != os.Geteuid() {",
		"known && owner == 0 && owner != os.Geteuid() {",
		nil,
	},
	{
		"a stored key has another kid", "keyset/shared.go",
		"if err != nil || len(rest) > 0 || key.KID != r.KID {",
		"if err != nil || len(rest) > 0 {",
		nil,
	},
	{
		"a key with use enc verifies signatures", "internal/jose/verify.go",
		`return (k.Use == "" || k.Use == "sig") && (kid`,
		"return (kid",
		nil,
	},
	{
		"a JWT without kid is tried with every key", "internal/jose/verify.go",
		`case named == 0 || h.KID == "" && named > 1:`,
		"case named == 0:",
		then("client"),
	},
	{
		"an algorithm that is not accepted verifies", "internal/jose/verify.go",
		"if !slices.Contains(algs, header.Alg) {",
		"if len(algs) == 0 {",
		nil,
	},
	{
		"a key for one algorithm verifies another one", "internal/jose/verify.go",
		`if k.Alg != "" && k.Alg != alg {`,
		`if k.Alg == "" && k.Alg == alg {`,
		nil,
	},
	{
		"a JWT has several spellings", "internal/jose/verify.go",
		"base64.RawURLEncoding.Strict()",
		"base64.RawURLEncoding",
		nil,
	},
	{
		"a signature is not verified", "internal/jose/verify.go",
		"&& algorithms[header.Alg].verify(signed, sig, k.Key) {",
		"&& len(signed) > 0 && len(sig) > 0 {",
		nil,
	},
	{
		"an id_token is an access token", "internal/jose/purpose.go",
		`return o.Has("client_id") || o.Has("consumer") || subjectIsOther(o)`,
		`return o.Has("iss")`,
		then("resource"),
	},
	{
		"a client assertion may be about another client", "internal/jose/purpose.go",
		`return ok && iss == sub
`,
		`return ok && (iss == sub || iss != "")
`,
		nil,
	},
	{
		"a claim of another kind of JWT is ignored", "internal/jose/purpose.go",
		`if err := p.CheckForbidden(claims); err != nil {
		return err`,
		`if err := p.CheckForbidden(claims); err != nil && !p.untyped {
		return err`,
		nil,
	},
	{
		"keys of all purposes are one", "internal/seal/seal.go",
		`"portner v2 "+purpose+"\x00"+k.issuer`,
		`"portner v2 "+k.issuer`,
		then("session", "authorize"),
	},
	{
		"keys of all issuers are one", "internal/seal/seal.go",
		`"portner v2 "+purpose+"\x00"+k.issuer`,
		`"portner v2 "+purpose`,
		then("session"),
	},
	{
		"only the first secret opens", "internal/seal/seal.go",
		`range b.keys {
		if plaintext, ok := key.open`,
		`range b.keys[:1] {
		if plaintext, ok := key.open`,
		nil,
	},
	{
		"the keyed hash changes with each rotation of the secrets", "internal/seal/seal.go",
		"key: keys[len(keys)-1]}",
		"key: keys[0]}",
		nil,
	},
	{
		"a sealed text opens for another use", "internal/seal/seal.go",
		"if plaintext, ok := key.open(sealed, aad); ok {",
		`if plaintext, ok := key.open(sealed, ""); ok {`,
		nil,
	},
	{
		"a token has the form with any letters", "internal/seal/seal.go",
		"if len(s) != 43 {",
		"if len(s) < 43 {",
		nil,
	},
}

var discoveryDefects = []defect{
	{
		"an issuer has a query", "discovery/config.go",
		`case strings.Contains(issuer, "?"):`,
		`case strings.HasPrefix(issuer, "?"):`,
		nil,
	},
	{
		"an endpoint has a fragment", "discovery/config.go",
		`case strings.Contains(text, "#"):`,
		`case strings.HasPrefix(text, "#"):`,
		nil,
	},
	{
		"an endpoint of the metadata is plain http", "discovery/config.go",
		`case u.Scheme != "https" && (u.Scheme`,
		`case u.Scheme == "ftp" && (u.Scheme`,
		nil,
	},
	{
		"the metadata has symmetric algorithms", "discovery/config.go",
		` || strings.HasPrefix(strings.ToUpper(alg), "HS") {`,
		" {",
		nil,
	},
	{
		"the metadata lists a value twice", "discovery/config.go",
		"case slices.Contains(l.values[:i], value):",
		"case slices.Contains(l.values[i+1:], value) && i < 0:",
		nil,
	},
	{
		"the metadata of an issuer with a path is at the root", "discovery/document.go",
		`"/.well-known/oauth-authorization-server"+issuerPath(cfg.Issuer))`,
		`"/.well-known/oauth-authorization-server")`,
		nil,
	},
}

var limitsDefects = []defect{
	{
		"a nil pointer in an interface is a store", "internal/fields/value.go",
		"case reflect.Pointer, reflect.Func:", "case reflect.Func:",
		tests("internal/fields", "TestValues"),
	},
	{
		"a zero value that no constructor made is accepted", "internal/fields/value.go",
		"!IsNil(v) && of.Elem().IsZero()", "!IsNil(v) && !of.IsValid()",
		tests("internal/fields", "TestMade"),
	},
	{
		"a session with a negative limit lives for the default", "session/session.go",
		"case l.Max < 0, l.Idle < 0:", "case false:",
		nil,
	},
	{
		"an exchange with a negative lifetime has no bound", "exchange/grant.go",
		"if decision.Lifetime < 0 {", "if false {",
		nil,
	},
	{
		"an error has text of the request", "internal/httpx/parameters.go",
		`	if KnownParameter(name) == "" {`, `	if name == "" {`,
		tests("internal/httpx", "TestRepeatedParameters"),
	},
	{
		"the test login answers other machines", "authorize/testlogin.go",
		"return isLoopbackAddr(remoteAddr)", "return true",
		tests("authorize", "TestTestLoginListener"),
	},
	{
		"an invisible character is part of a name", "internal/display/display.go",
		"!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)", "!unicode.In(r, blank)",
		tests("internal/display", "TestRejectedNames", "TestEveryCharacter"),
	},
	{
		"five resources and more are requested", "authorize/request.go",
		"if len(q.resources) > maxResources {",
		"if len(q.resources) > 20*maxResources {",
		nil,
	},
	{
		"a nonce has any length", "authorize/request.go",
		"case len(q.nonce) > maxNonce:",
		"case len(q.nonce) > 100*maxNonce:",
		nil,
	},
	{
		"scopes of a request are unbounded", "scope/parse.go",
		"if n > MaxValues {",
		"if n > 100*MaxValues {",
		nil,
	},
	{
		"the name of a browser is kept whole", "authorize/issue.go",
		"return name[:min(len(name), maxUserAgent)]",
		"return name",
		nil,
	},
	{
		"the name of a browser has control characters", "authorize/issue.go",
		`if c < 0x20 || c > 0x7e {
			return -1`,
		`if c > 0x7e {
			return -1`,
		nil,
	},
	{
		"a token of any length is looked up", "token/introspection.go",
		"if len(token) > maxToken {",
		"if len(token) > 100*maxToken {",
		nil,
	},
	{
		"the client_id of a logout has any length", "logout/request.go",
		"if len(clientID) > maxClientID {",
		"if len(clientID) > 100*maxClientID {",
		nil,
	},
	{
		"parameters in the query of a POST are ignored", "internal/httpx/form.go",
		`if r.URL.RawQuery != "" {
		return Form{}, reject("parameters_in_query", `,
		`if r.URL.RawQuery == "?" {
		return Form{}, reject("parameters_in_query", `,
		nil,
	},
	{
		"a repeated parameter is found by its second name only", "internal/httpx/form.go",
		"for j := range i {",
		"for j := range i - 1 {",
		nil,
	},
	{
		"a body has any length", "internal/httpx/form.go",
		"http.MaxBytesReader(w, r.Body, MaxBody)",
		"http.MaxBytesReader(w, r.Body, 1000*MaxBody)",
		nil,
	},
	{
		"a body has any content type", "internal/httpx/form.go",
		"if err != nil || mt != formType {",
		`if err != nil || mt == "" {`,
		nil,
	},
	{
		"a compressed body is read", "internal/httpx/form.go",
		`if h.Get("Content-Encoding") != "" {`,
		`if h.Get("Content-Encoding") == "identity" {`,
		nil,
	},
	{
		"a state has control characters", "internal/httpx/page.go",
		"if state[i] < 0x20 || state[i] > 0x7e {",
		"if state[i] > 0x7e {",
		nil,
	},
	{
		"a form of another origin is of the own one", "internal/httpx/page.go",
		"(len(o) > 1 || o[0] != origin) {",
		"(len(o) > 1) {",
		nil,
	},
	{
		"a form of the same site is of the own origin", "internal/httpx/page.go",
		`site[0] == "same-origin"
`,
		`site[0] != "cross-site"
`,
		nil,
	},
	{
		"a cookie of an https provider is not Secure", "internal/httpx/cookie.go",
		`if secure = u.Scheme != "http"; secure {`,
		`if secure = u.Scheme == "http"; secure {`,
		nil,
	},
	{
		"a token in two Authorization fields is read", "internal/httpx/bearer.go",
		"if len(authorization) > 1 {",
		"if len(authorization) > 2 {",
		nil,
	},
	{
		"a short secret of the host is accepted", "secret.go",
		"case len(s) < minSecret:",
		"case len(s) < minSecret-8:",
		nil,
	},
	{
		"a secret that repeats is accepted", "secret.go",
		`case s.repeats():
`,
		`case s.repeats() && len(s) < minSecret:
`,
		nil,
	},
}

var maskinportenDefects = []defect{
	{
		"a machine grant accepts every typ", "internal/jose/purpose.go",
		"if err := p.CheckTyp(h); err != nil {", "if err := p.CheckTyp(h); err != nil && p != AuthorizationGrant {",
		tests(walk, "TestWalks"),
	},
	{
		"a request object is a machine grant", "internal/jose/purpose.go",
		`forbidden: append([]string{"client_id", "consumer"}, notOfAssertions...),`, `forbidden: notOfClients,`,
		tests(walk, "TestWalks"),
	},
	{
		"the resource of a machine grant is a client", "digdir/maskinporten/claims.go",
		"ok, err := client.IsAPI(ctx, x.cfg.Clients, x.cfg.Issuer, resource)", "ok, err := true, error(nil)",
		tests(walk, "TestWalks"),
	},
	{
		"an assertion for another Maskinporten is accepted", "digdir/maskinporten/claims.go",
		"case aud == x.cfg.Issuer:",
		`case strings.HasPrefix(aud, "https://"):`,
		nil,
	},
	{
		"an assertion of an hour is accepted", "digdir/maskinporten/claims.go",
		"case exp <= iat || exp-iat > maxLifetime:",
		"case exp <= iat || exp-iat > 30*maxLifetime:",
		nil,
	},
	{
		"an assertion ends before it begins", "digdir/maskinporten/claims.go",
		"case exp <= iat || exp-iat",
		"case exp-iat",
		nil,
	},
	{
		"an expired grant assertion is accepted", "digdir/maskinporten/claims.go",
		"case !now.Before(expires.Add(skew)):",
		"case now.After(expires.Add(60 * skew)):",
		nil,
	},
	{
		"a grant assertion from the future is accepted", "digdir/maskinporten/claims.go",
		"case issued.After(now.Add(skew)), x",
		"case issued.After(now.Add(60 * skew)), x",
		nil,
	},
	{
		"a grant assertion is used before nbf", "digdir/maskinporten/claims.go",
		"case time.Unix(nbf, 0).After(now.Add(skew)):",
		"case time.Unix(nbf, 0).After(now.Add(60 * skew)):",
		nil,
	},
	{
		"a machine acts for its own organisation as a supplier", "digdir/maskinporten/scopes.go",
		`(c.consumerOrg == x.client.OrganisationNo || x.client.SupplierOrgno != "")`,
		`(x.client.SupplierOrgno != "")`,
		nil,
	},
	{
		"two delegation sources in one request", "digdir/maskinporten/scopes.go",
		`s.DelegationSource == "" || i > 0 && s.DelegationSource != source {`,
		`s.DelegationSource == "" || i > 1 && s.DelegationSource != source {`,
		nil,
	},
	{
		"the consent of another receiver is used", "digdir/maskinporten/consent.go",
		"found.To != r.Organisation || !r.Now",
		"!r.Now",
		nil,
	},
	{
		"the consent of another giver is used", "digdir/maskinporten/consent.go",
		"case found.From != want.from || r",
		"case r",
		nil,
	},
	{
		"an expired consent is used by a machine", "digdir/maskinporten/consent.go",
		"|| !r.Now.Before(found.ValidTo):",
		"|| r.Now.After(found.ValidTo):",
		nil,
	},
	{
		"two consents in one grant", "digdir/maskinporten/consent.go",
		"if len(details) != 1 {",
		"if len(details) == 0 {",
		nil,
	},
	{
		"a machine of a supplier has the system users of its customer", "digdir/maskinporten/systemuser.go",
		`if r.Supplier != "" {
		return r.Supplier`,
		`if r.Supplier == "" {
		return r.Supplier`,
		nil,
	},
	{
		"a disabled machine gets tokens", "digdir/maskinporten/grant.go",
		`case disabled:
`,
		`case disabled && c.Public():
`,
		nil,
	},
	{
		"a login client is a machine", "digdir/maskinporten/grant.go",
		"case !slices.Contains(machineTypes, c.IntegrationType) && !c",
		`case c.IntegrationType == "" && !c`,
		nil,
	},
	{
		"an algorithm outside of the rules of Maskinporten is accepted", "digdir/maskinporten/assertion.go",
		"case !slices.Contains(algorithms, h.Alg) || strings.HasSuffix",
		"case strings.HasSuffix",
		nil,
	},
	{
		"a jti of a grant assertion is optional where it is required", "digdir/maskinporten/claims.go",
		`case x.cfg.RequireJTI && c.jti == "":`,
		`case x.cfg.RequireJTI && c.jti == "" && c.scope == "":`,
		nil,
	},
}

var altinnDefects = []defect{
	{
		"a sub-entity has the rights of its organisation at Altinn", "digdir/altinn/claims.go",
		`if orgno == "" || t.Consumer.SubEntity != "" {`,
		`if orgno == "" {`,
		nil,
	},
	{
		"a login is a token of the organisation at Altinn", "digdir/altinn/claims.go",
		"if !t.IsMachine() {",
		`if !t.IsMachine() && t.Subject == "" {`,
		nil,
	},
	{
		"a token of Altinn outlives the exchanged one", "digdir/altinn/claims.go",
		"if own.Before(end) {",
		"if end.Before(own) {",
		nil,
	},
	{
		"a token that has expired is exchanged by Altinn", "digdir/altinn/claims.go",
		"if end.Unix() <= now.Unix() {",
		"if end.Unix() < now.Unix()-60 {",
		nil,
	},
	{
		"a user without a scope of Altinn gets a token", "digdir/altinn/claims.go",
		"if !slices.ContainsFunc(t.Scopes, x.acceptsScope) {",
		"if len(t.Scopes) == 0 {",
		nil,
	},
	{
		"every provider has the keys of the others", "digdir/altinn/server.go",
		"if x.provider.verifier == nil {",
		"if x.provider.verifier == nil && x.provider == nil {",
		nil,
	},
	{
		"a HEAD request issues a token", "digdir/altinn/server.go",
		"if r.Method != http.MethodGet { // HEAD",
		"if r.Method != http.MethodGet && r.Method != http.MethodHead { // HEAD",
		nil,
	},
	{
		"a vendor changes the systems of another one", "internal/standin/systemuser/register.go",
		"case !c.owns(known): // before",
		"case !c.owns(known) && known.IsDeleted: // before",
		nil,
	},
	{
		"a vendor reads the systems of another one", "internal/standin/systemuser/register.go",
		`case !c.owns(s):
		return answer{}, errForbidden`,
		`case !c.owns(s) && s.IsDeleted:
		return answer{}, errForbidden`,
		nil,
	},
	{
		"a request is answered twice", "internal/standin/systemuser/user.go",
		"if q.Status != StatusNew {",
		"if q.Status == StatusAccepted {",
		nil,
	},
	{
		"the system user of another vendor is found", "internal/standin/systemuser/user.go",
		" && slices.Contains(s.ClientID, q.ClientID) && s.Vendor.Orgno() == q.Vendor",
		" && slices.Contains(s.ClientID, q.ClientID)",
		nil,
	},
	{
		"the system user of another client is found", "internal/standin/systemuser/user.go",
		"return !s.IsDeleted && slices.Contains(s.ClientID, q.ClientID) && ",
		"return !s.IsDeleted && ",
		nil,
	},
	{
		"a request asks for rights that the system does not have", "internal/standin/systemuser/request.go",
		"case slices.ContainsFunc(b.AccessPackages, func",
		"case len(b.AccessPackages) > 99 && slices.ContainsFunc(b.AccessPackages, func",
		nil,
	},
	{
		"a machine token approves a request", "internal/standin/systemuser/http.go",
		"if _, ok := c.userID(); e.user && !ok {",
		`if _, ok := c.userID(); e.user && ok && c.vendor() == "-" {`,
		nil,
	},
	{
		"a vendor finds the requests of another one", "internal/standin/systemuser/request.go",
		"c.ownedSystem(r, q.SystemID) != nil { // the same",
		"c == nil { // the same",
		nil,
	},
}

var helseidDefects = []defect{
	{
		"a single-tenant client names a child that is not its own", "nhn/helseid/organisation.go",
		"case !slices.Contains(r.Children, n.child):",
		"case len(r.Children) > 1 && !slices.Contains(r.Children, n.child):",
		nil,
	},
	{
		"a multi-tenant client names any parent", "nhn/helseid/organisation.go",
		"case !slices.Contains(r.Parents, n.parent):",
		"case len(r.Parents) == 0:",
		nil,
	},
	{
		"an organisation that was lost stays in tokens", "nhn/helseid/organisation.go",
		`} else if err != nil {
		return nil, fmt.Errorf("%w: the organisation`,
		`} else if err != nil && len(details) == 0 {
		return nil, fmt.Errorf("%w: the organisation`,
		nil,
	},
	{
		"an exchanged token has the organisation of the new client", "nhn/helseid/organisation.go",
		"if len(d.Grant.Delegation.Actor) == 0 {",
		"if len(d.Grant.Delegation.Actor) >= 0 {",
		nil,
	},
	{
		"a token for another API is exchanged at HelseID", "nhn/helseid/exchange.go",
		"if !slices.ContainsFunc(x.subject.Token.Audience, func",
		"if len(x.subject.Token.Audience) == 0 && !slices.ContainsFunc(x.subject.Token.Audience, func",
		nil,
	},
	{
		"an exchange at HelseID gains scopes of identities", "nhn/helseid/exchange.go",
		`return x.audienceOf(name) == "" }) {`,
		`return x.audienceOf(name) == "-" }) {`,
		nil,
	},
	{
		"an exchanged token of HelseID outlives its grant", "nhn/helseid/exchange.go",
		"if x.subject.Grant.ExpiresAt.Before(end) {",
		"if end.Before(x.subject.Grant.ExpiresAt) {",
		nil,
	},
	{
		"exchanges at HelseID have no bound", "nhn/helseid/exchange.go",
		"if x.subject.Exchanges >= token.MaxExchanges {",
		"if x.subject.Exchanges > 99*token.MaxExchanges {",
		nil,
	},
}

var ansattportenDefects = []defect{
	{
		"an organisation that was not chosen is granted", "digdir/ansattporten/reportee.go",
		"case !slices.Contains(selected, p.id()):",
		"case len(selected) > 1 && !slices.Contains(selected, p.id()):",
		nil,
	},
	{
		"a deleted organisation is offered", "digdir/ansattporten/reportee.go",
		"p.Deleted && !o.deleted,",
		"p.Deleted && o.deleted,",
		nil,
	},
	{
		"a right that was not requested is enough", "digdir/ansattporten/reportee.go",
		"slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(p.Rights, a) })",
		"slices.ContainsFunc(actions, func(a string) bool { return len(p.Rights) > 0 })",
		nil,
	},
	{
		"a right that ended stays in refreshed tokens", "digdir/ansattporten/refresh.go",
		"return len(r.Parties) > 0, nil",
		"return true, nil",
		nil,
	},
	{
		"a mandate of another person is granted", "digdir/ansattporten/refresh.go",
		"m.PID.Reveal() == authorizer && ",
		`authorizer != "" && `,
		nil,
	},
	{
		"a right that was not granted is added by a refresh", "digdir/ansattporten/altinn.go",
		"if slices.Contains(p.Rights, a) && !slices.Contains(party.Actions, a) {",
		"if !slices.Contains(party.Actions, a) {",
		nil,
	},
}

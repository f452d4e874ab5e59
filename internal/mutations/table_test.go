package mutations

// mutation is a defect: old becomes new in file, and one of the tests of the package pkg must fail then.
type mutation struct {
	defect   string
	file     string
	old, new string
	pkg      string
	tests    []string
}

const walk = "internal/walk"

var walks = []string{"TestWalks"}

var table = []mutation{
	{
		"a machine grant accepts every typ", "internal/jose/purpose.go",
		"if err := p.CheckTyp(h); err != nil {", "if err := p.CheckTyp(h); err != nil && p != AuthorizationGrant {",
		walk, walks,
	},
	{
		"a request object is a machine grant", "internal/jose/purpose.go",
		`forbidden: append([]string{"client_id", "consumer"}, notOfAssertions...),`, `forbidden: notOfClients,`,
		walk, walks,
	},
	{
		"pseudonymous subjects are those of open grants", "pseudonym/pairwise.go",
		"kind := pseudonymousKind", "kind := openKind",
		walk, walks,
	},
	{
		"consents of all customers are one", "authorize/issue.go",
		"return storage.ConsentKey{UserKey: sess.UserKey, ClientID: x.req.client.ClientID, Customer: x.req.client.Party(x.req.onBehalfOf)}",
		"return storage.ConsentKey{UserKey: sess.UserKey, ClientID: x.req.client.ClientID}",
		walk, walks,
	},
	{
		"a circle vouches for the login of another one", "authorize/load.go",
		"e.cfg.Sessions.Identity(sess, f.circle.Name)", "e.cfg.Sessions.Identity(sess, sess.Circles[0].Name)",
		walk, walks,
	},
	{
		"a declined scope keeps its consent", "authorize/issue.go",
		"o.Declined = declined(given)", "o.Declined = nil",
		walk, walks,
	},
	{
		"a customer that left is not noticed", "token/check.go",
		`c.CustomerOf(g.Customer); !ok {`, `c.CustomerOf(g.Customer); !ok && g.Customer == "nobody" {`,
		"digdir/authorizations",
		[]string{"TestConsentLife"},
	},
	{
		"pushed requests are counted per client only", "storage/memory/pushed.go",
		"if name != clientID {", "if name = clientID; name != clientID {",
		"storage/memory",
		[]string{"TestPushedRequestsPerAddress"},
	},
	{
		"marks of ended sessions are unbounded", "storage/memory/session.go",
		"if n > maxEnded {", "if n > 1<<30 {",
		"storage/memory",
		[]string{"TestEndedSessionsTakeNoRoom"},
	},
	{
		"the resource of a machine grant is a client", "digdir/maskinporten/claims.go",
		"ok, err := client.IsAPI(ctx, x.cfg.Clients, x.cfg.Issuer, resource)", "ok, err := true, error(nil)",
		walk, walks,
	},
	{
		"a page of grants is read under one lock", "storage/memory/grant.go",
		"const maxUnlisted = 64", "const maxUnlisted = 1 << 30",
		"storage/memory",
		[]string{"TestLockHolds"},
	},
	{
		"the clients of a dropped session are not notified", "provider/build.go",
		"OnEnded: b.p.notifyEnded, ", "",
		walk, walks,
	},
	{
		"//token is redirected with 307", "provider/provider.go",
		"if other != nil && httpx.CleanPath(r.URL) {", "if other != nil {",
		"provider",
		[]string{"TestHandler", "TestNoPathRepeatsAPost"},
	},
	{
		"one key seals without a bound", "internal/seal/xaes.go",
		"if d.used.Add(1) > perPrefix {", "if d.used.Add(1) > 1<<62 {",
		"internal/seal",
		[]string{"TestPrefixIsReplaced"},
	},
	{
		"a token outlives its consent", "token/mint.go",
		"if !in.consentEnd.IsZero() && in.consentEnd.Before(grant.ExpiresAt) {", "if false {",
		"digdir/authorizations",
		[]string{"TestTokensEndWithTheConsent", "TestTokensEndWithALaterRule"},
	},
	{
		"a client that acts for a customer no more is not noticed in exchanged tokens", "token/check.go",
		"_, err = m.client(ctx, &parent, nil)", `p := parent; p.Customer = ""; _, err = m.client(ctx, &p, nil)`,
		"exchange",
		[]string{"TestCustomerOfTheSubject"},
	},
	{
		"a consent that is given again revives older grants", "token/check.go",
		"if c.GrantedAt.After(since) {", "if false {",
		"digdir/authorizations",
		[]string{"TestConsentLife"},
	},
	{
		"a renewed consent begins anew", "storage/memory/consent.go",
		"now < old.until {", "now < 0 {",
		"digdir/authorizations",
		[]string{"TestConsentLife"},
	},
	{
		"an id_token is exchanged after a logout", "exchange/grant.go",
		"g.Customer, g.SessionID = from.Customer, from.SessionID", "g.Customer = from.Customer",
		"exchange",
		[]string{"TestEndOfTheLogin"},
	},
	{
		"scopes that are added to an id_token need no consent", "token/check.go",
		"addedScopes(g, &t.Grant), live, now)", "nil, live, now)",
		"exchange",
		[]string{"TestForeignSubjectsAreChecked"},
	},
	{
		"a single-use login answers the requests of other tabs", "session/decide.go",
		"case !inThisRequest && r.SingleUse", "case !inThisRequest && !forThisRequest && r.SingleUse",
		"provider",
		[]string{"TestSingleUseLoginIsForOneTab"},
	},
	{
		"a token outlives its actor token", "exchange/actor.go",
		"if x.actor != nil {\n\t\td.ActorToken", "if false {\n\t\td.ActorToken",
		"exchange",
		[]string{"TestEndOfTheActorToken"},
	},
	{
		"cancelling declines", "authorize/pending.go",
		"refused = e.deny(ctx, x, sess, &scope.Answer{})", "refused = e.deny(ctx, x, sess, &scope.Answer{Shown: x.req.scopes})",
		"digdir/authorizations",
		[]string{"TestConsentLife"},
	},
	{
		"an organisation sees which pseudonym ends with an identity", "digdir/authorizations/authorizations.go",
		"case !a.mayList(o, owner):", "case false:",
		"digdir/authorizations",
		[]string{"TestEndingLinksNoPseudonym"},
	},
	{
		"a refresh keeps lost details", "token/refresh.go",
		"x.cfg.AuthorizationDetails.Refresh)", "x.cfg.AuthorizationDetails.Redeem)",
		"token",
		[]string{"TestDetailsAreEvaluatedAgain"},
	},
	{
		"a refresh widens details", "rar/refresh.go",
		"return within(text, d.JSON)", "return within(text, d.JSON) || true",
		"rar",
		[]string{"TestRefresh"},
	},
	{
		"a removed scope of the host is that of the profile again", "provider/validate.go",
		"if host.Scope(s.Name) == nil {", "if true {",
		"provider",
		[]string{"TestRemovedScopeStaysRemoved"},
	},
	{
		"declined authorization_details are granted", "rar/offer.go",
		"case p.t.NoApproval:", "case p.t.NoApproval || p.t.Choices == nil:",
		walk, walks,
	},
	{
		"the scopes without consent decide whether a login is hidden", "authorize/details.go",
		"_, opaque := scope.Privacy(q.scopes, e.cfg.Scopes)", "_, opaque := scope.Privacy(q.plan.Granted, e.cfg.Scopes)",
		walk, walks,
	},
	{
		"the test login answers other machines", "authorize/testlogin.go",
		"return isLoopbackAddr(remoteAddr)", "return true",
		"authorize",
		[]string{"TestTestLoginListener"},
	},
	{
		"a client with signed responses only gets errors in clear", "authorize/responsemode.go",
		"if hasMode(c, mode) {", "if mode == modeQuery || hasMode(c, mode) {",
		"authorize",
		[]string{"TestSignedOnly"},
	},
	{
		"a response that cannot be signed consumes the request", "authorize/issue.go",
		"if response, err = e.respond(x, x.req.to, \"code\", code); err != nil {", "if response, err = e.respond(x, x.req.to, \"code\", code); err != nil && e.commit(commitCtx, x, sess, o) == nil {",
		"authorize",
		[]string{"TestResponseCannotBeSigned"},
	},
	{
		"a signed response has no audience", "authorize/jarm.go",
		`"aud": x.client.ClientID, `, ``,
		"authorize",
		[]string{"TestSignedResponse"},
	},
	{
		"a DPoP proof may be pushed twice", "authorize/par.go",
		"if proof.Key != \"\" {", "if proof.Key != \"\" && clientID == \"\" {",
		"authorize",
		[]string{"TestPushProofIsUsedOnce"},
	},
	{
		"proofs of unauthenticated senders are remembered without a bound", "authorize/par.go",
		"uri, err := e.storePushed(", "if proof.Key != \"\" {\n\t\t_ = e.cfg.DPoP.Consume(ctx, clientID, proof, now)\n\t\tproof.Key = \"\"\n\t}\n\turi, err := e.storePushed(",
		"authorize",
		[]string{"TestPushProofFlood"},
	},
	{
		"the key of a DPoP proof replaces dpop_jkt", "authorize/dpop.go",
		"return page(portner.InvalidDPoPProof, \"dpop_jkt_mismatch\", \"The dpop_jkt must be the thumbprint of the key of the DPoP proof.\")", "s.form = s.form.With(jktField, key)",
		"authorize",
		[]string{"TestPushProof"},
	},
	{
		"a nonce is required after the client assertion is consumed", "authorize/par.go",
		"if errors.Is(proofErr, dpop.ErrNonce) {", "if errors.Is(proofErr, dpop.ErrNonce) && r.Form.Get(\"client_assertion\") == \"\" {",
		"authorize",
		[]string{"TestPushProofWaitsForAuthentication"},
	},
	{
		"a code is not bound to dpop_jkt", "authorize/issue.go",
		", DPoPKey: x.req.dpopKey,", ",",
		"authorize",
		[]string{"TestDPoPKey", "TestPushProof"},
	},
	{
		"request objects may live for two hours", "authorize/requestobject.go",
		"if !e.cfg.RequireNBF {", "if e.cfg.RequireNBF || claims.Has(\"nbf\") {",
		"authorize",
		[]string{"TestMessageSigning"},
	},
	{
		"parameters beside a request object are added to it", "authorize/requestobject.go",
		"return source{form: inner, signed: true}, nil", "return source{form: httpx.Concat(inner, form.Without(append(inner.Names(), \"request\")...)), signed: true}, nil",
		"authorize",
		[]string{"TestParametersBesideTheObject"},
	},
	{
		"a token that is bound to a key passes as a bearer token", "internal/bound/bound.go",
		"case cnf.Key != \"\" && r.Scheme != httpx.DPoP:", "case cnf.Key != \"\" && r.Scheme == \"\":",
		"resource",
		[]string{"TestBoundTokens"},
	},
	{
		"an API ignores members of cnf that it cannot verify", "resource/binding.go",
		"return storage.Confirmation{}, false\n\t\t}", "continue\n\t\t}",
		"resource",
		[]string{"TestHostileTokens"},
	},
	{
		"an API does not consume proofs", "internal/bound/bound.go",
		"_, err := p.Verify(ctx, dpop.Request{", "forgetful := *p\n\tforgetful.Replay, forgetful.AllowReplay = nil, true\n\t_, err := forgetful.Verify(ctx, dpop.Request{",
		"resource",
		[]string{"TestProofIsUsedOnce"},
	},
	{
		"a token that is bound to a certificate needs none", "internal/bound/bound.go",
		"case thumbprint == \"\":", "case thumbprint == \"\", r.Certificate == nil:",
		"resource",
		[]string{"TestCertificateOfTheConnection"},
	},
	{
		"the certificate of a proxy is that of the client", "resource/protect.go",
		"\trequest.Certificate = nil\n", "",
		"resource",
		[]string{"TestCertificateOfTheConnection"},
	},
	{
		"an introspection response of another issuer is accepted", "resource/introspection.go",
		"case iss != i.name:", "case iss == \"\":",
		"resource",
		[]string{"TestSignedIntrospection"},
	},
	{
		"an introspection response for another API is accepted", "resource/introspection.go",
		"case !slices.Contains(aud, i.introspection.ClientID):", "case !slices.Contains(aud, i.introspection.ClientID) && len(aud) == 0:",
		"resource",
		[]string{"TestSignedIntrospection"},
	},
	{
		"every client gets signed introspection responses", "token/introspectionjwt.go",
		"if !c.Introspects() && len(c.Resources) == 0 {", "if c.Public() {",
		"token",
		[]string{"TestSignedIntrospectionIsForResourceServers"},
	},
	{
		"a client with signed introspection responses gets others", "token/introspectionjwt.go",
		"registered := c.IntrospectionSignedResponseAlg != \"\"", "registered := named && c.IntrospectionSignedResponseAlg != \"\"",
		"token",
		[]string{"TestSignedIntrospectionIsChosen"},
	},
	{
		"an invisible character is part of a name", "internal/display/display.go",
		"!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)", "!unicode.In(r, blank)",
		"internal/display",
		[]string{"TestRejectedNames", "TestEveryCharacter"},
	},
	{
		"a TLS certificate for servers authenticates a client", "client/tlsauth.go",
		"KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},", "KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},",
		"client",
		[]string{"TestTLSClientAuthRejected"},
	},
	{
		"the chain of a TLS certificate is verified by the clock of the machine", "client/tlsauth.go",
		"Intermediates: intermediates, CurrentTime: x.now,", "Intermediates: intermediates,",
		"client",
		[]string{"TestTLSClientAuth"},
	},
	{
		"every certificate of an authority authenticates a client", "client/tlsauth.go",
		"if !registered[0].matches(leaf) {", "if leaf == nil {",
		"client",
		[]string{"TestTLSClientAuthRejected"},
	},
	{
		"an alternative name of another kind authenticates a client", "client/tlsauth.go",
		"name.Tag == int(n.kind) && n.is(name.Bytes)", "n.is(name.Bytes)",
		"client",
		[]string{"TestTLSClientAuthRejected"},
	},
	{
		"a subject with its names in one set is another spelling", "client/dn.go",
		"return slices.EqualFunc(d, other, slices.Equal)", "return slices.Equal(slices.Concat(d...), slices.Concat(other...))",
		"client",
		[]string{"TestDNDiffers"},
	},
	{
		"another certificate of a registered key authenticates a client", "client/tlsauth.go",
		"bytes.Equal(k.X5C[0], x.r.Certificate.Raw)", "bytes.Equal(k.X5C[0][:8], x.r.Certificate.Raw[:8])",
		"client",
		[]string{"TestSelfSignedTLSClientAuth"},
	},
	{
		"a registered TLS certificate authenticates after it has expired", "client/tlsauth.go",
		"return checkValidity(x.r.Certificate, x.now)", "return nil",
		"client",
		[]string{"TestTLSClientAuthToTheSecond"},
	},
	{
		"a forged Client-Cert field is read", "client/certheader.go",
		"func(p netip.Prefix) bool { return p.Contains(peer) })", "func(p netip.Prefix) bool { return p.Contains(peer) || !peer.IsPrivate() })",
		"client",
		[]string{"TestCertificateFromHeader"},
	},
	{
		"a wrong secret is ignored beside a TLS certificate", "client/authenticate.go",
		"if presented == None && byCertificate(method) {", "if byCertificate(method) {",
		"client",
		[]string{"TestTLSMethodsBesideOthers"},
	},
	{
		"a method that the configuration excludes authenticates a client", "client/authenticate.go",
		"case !x.supports(method):", "case !x.supports(method) && method == PrivateKeyJWT:",
		"client",
		[]string{"TestAuthMethods"},
	},
	{
		"the rules of an assertion widen the algorithms of the provider", "client/assertionkey.go",
		"rules.Algorithms = a.allowed(rules.Algorithms)", "if rules.Algorithms == nil {\n\t\trules.Algorithms = a.cfg.SigningAlgorithms\n\t}",
		"client",
		[]string{"TestSigningAlgorithms"},
	},
	{
		"of several keys with one kid only the first is tried", "internal/jose/verify.go",
		"k.named(header.KID) && k.fits(header.Alg) == nil &&", "k.named(header.KID) && i == 0 &&",
		"internal/jose",
		[]string{"TestVerifyKeysOfOneKID"},
	},
	// Guards that no defect has touched: the walks notice when one is dropped.
	{
		"a replayed refresh token ends nothing", "token/refresh.go",
		"if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {\n\t\treturn nil, err", "if err := error(nil); err != nil {\n\t\treturn nil, err",
		walk, walks,
	},
	{
		"an exchanged token outlives its subject token", "token/check.go",
		"return live, m.checkParents(ctx, g, &live, now)", "return live, nil",
		walk, walks,
	},
	{
		"a document that withholds the user names the subject", "token/facts.go",
		"f.pseudonymous, f.sub = true, \"\"", "f.pseudonymous = true",
		walk, walks,
	},
	{
		"a token outlives a consent", "token/mint.go",
		"if !in.consentEnd.IsZero() && in.consentEnd.Before(grant.ExpiresAt) {", "if false {",
		walk, walks,
	},
	{
		"the tokens of a disabled user are accepted", "token/check.go",
		"case u.Disabled:", "case false:",
		walk, walks,
	},
	{
		"max_age is ignored", "session/decide.go",
		"case req.HasMaxAge &&", "case false &&",
		walk, walks,
	},
	{
		"failed assertions count as guesses", "client/credentials.go",
		"return c.method == ClientSecretBasic || c.method == ClientSecretPost", "return c.method != None",
		"provider",
		[]string{"TestRubbishLocksNoClientOut"},
	},
	{
		"the right secret is refused after the failures of others", "client/authenticate.go",
		"case reason == nil && !slices.ContainsFunc(", "case reason == nil && slices.ContainsFunc(",
		"provider",
		[]string{"TestRubbishLocksNoClientOut"},
	},
	{
		"two audiences count as one", "internal/jose/object.go",
		"if err == nil && len(list) != 1 {", "if err == nil && len(list) == 0 {",
		"provider",
		[]string{"TestAssertionAudienceOfProfiles"},
	},
	{
		"a kid that names no key is ignored beside a certificate", "client/assertionkey.go",
		"(len(h.X5C) == 0 || rules.StrictKID)", "len(h.X5C) == 0",
		"digdir/maskinporten",
		[]string{"TestVectors"},
	},
	{
		"authorities of the operator may have weak keys", "client/businesscert/chain.go",
		"path[min(presented, anchor):anchor]", "path[anchor:anchor]",
		"client/businesscert",
		[]string{"TestVerifyWithOwnIntermediates"},
	},
	{
		"several DPoP proofs are one", "dpop/check.go",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		"if strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		"dpop",
		[]string{"TestNumberOfProofs"},
	},
	{
		"joined DPoP proofs are not counted", "dpop/check.go",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ';') >= 0 {",
		"dpop",
		[]string{"TestNumberOfProofs"},
	},
	{
		"a DPoP proof may have crit", "internal/jose/embedded.go",
		`if header.Has("crit") || header.Has("b64") {`,
		`if header.Has("b64") {`,
		"dpop",
		[]string{"TestCriticalHeaders", "TestVectors"},
	},
	{
		"a DPoP proof may have b64", "internal/jose/embedded.go",
		`if header.Has("crit") || header.Has("b64") {`,
		`if header.Has("crit") {`,
		"dpop",
		[]string{"TestCriticalHeaders"},
	},
	{
		"a DPoP proof has any spelling of typ", "internal/jose/purpose.go",
		"	if p.exact {",
		`	if p.exact && h.Typ == "" {`,
		"dpop",
		[]string{"TestTyp"},
	},
	{
		"a DPoP proof has any typ", "internal/jose/embedded.go",
		"if err := purpose.Check(Header{Typ: typ}, claims); err != nil {",
		`if err := purpose.Check(Header{Typ: typ}, claims); err != nil && typ == "" {`,
		"dpop",
		[]string{"TestTyp", "TestVectors"},
	},
	{
		"a DPoP proof may be longer", "internal/jose/embedded.go",
		"split(token, MaxToken)",
		"split(token, MaxTokenX5C)",
		"dpop",
		[]string{"TestShape"},
	},
	{
		"a DPoP proof has any alg that fits its key", "internal/jose/embedded.go",
		"func(a string) bool { return canonical(a) == alg }",
		"func(string) bool { return Known(alg) }",
		"dpop",
		[]string{"TestAlgorithms"},
	},
	{
		"Ed25519 is not EdDSA", "internal/jose/embedded.go",
		"if alg == Ed25519 {",
		`if alg == "" {`,
		"dpop",
		[]string{"TestEd25519"},
	},
	{
		"the alg of a DPoP proof need not fit its key", "internal/jose/embedded.go",
		`	if err := Fits(alg, key); err != nil {
		return "", nil, "", err`,
		`	if err := Fits(alg, key); err != nil && alg == "" {
		return "", nil, "", err`,
		"dpop",
		[]string{"TestOtherKeys", "TestAlgorithms"},
	},
	{
		"a DPoP proof may have a private key", "internal/jose/jwk.go",
		`[]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}`,
		`[]string{"k"}`,
		"dpop",
		[]string{"TestPrivateKeys", "TestVectors"},
	},
	{
		"a DPoP proof may have a huge RSA key", "internal/jose/embedded.go",
		"k.N.BitLen() > MaxEmbeddedRSABits",
		"k.N.BitLen() > MaxRSABits",
		"dpop",
		[]string{"TestRSAKeys"},
	},
	{
		"RSA exponents have no bound", "internal/jose/jwk.go",
		"e.BitLen() < 2 || e.BitLen() > 31 ||",
		"e.BitLen() < 2 || e.BitLen() > 62 ||",
		"dpop",
		[]string{"TestRSAKeys"},
	},
	{
		"the signature of a DPoP proof is not verified", "internal/jose/embedded.go",
		"if !algorithms[alg].verify([]byte(token[:len(head)+1+len(body)]), sig, key) {",
		`if len(sig) == 0 && alg == "" && key == nil {`,
		"dpop",
		[]string{"TestSignatures", "TestVectors"},
	},
	{
		"an ECDSA signature may be ASN.1", "internal/jose/algorithm.go",
		`if !ok || len(signature) != 2*((a.curve.Params().BitSize+7)/8) {
		return false
	}`,
		`if !ok {
		return false
	}
	if sum := sha256.Sum256(signed); ecdsa.VerifyASN1(k, sum[:], signature) {
		return true
	}`,
		"dpop",
		[]string{"TestSignatures", "TestVectors"},
	},
	{
		"the thumbprint of a DPoP key has its alg", "internal/jose/embedded.go",
		"	return alg, key, k.thumbprint(), nil",
		`	k.Y += alg
	return alg, key, k.thumbprint(), nil`,
		"dpop",
		[]string{"TestVectors", "TestProofsOfJWX"},
	},
	{
		"a DPoP proof needs no jti", "dpop/check.go",
		`err != nil || c.jti == "" || len(c.jti) > maxJTI`,
		`err != nil && c.jti != "" || len(c.jti) > maxJTI`,
		"dpop",
		[]string{"TestClaims", "TestVectors"},
	},
	{
		"jti has no bound", "dpop/check.go",
		`c.jti == "" || len(c.jti) > maxJTI`,
		`c.jti == ""`,
		"dpop",
		[]string{"TestClaims"},
	},
	{
		"htm has any case", "dpop/check.go",
		"c.htm != r.Method",
		"!strings.EqualFold(c.htm, r.Method)",
		"dpop",
		[]string{"TestClaims", "TestVectors"},
	},
	{
		"a request without a method has any htm", "dpop/check.go",
		`if r.Method == "" || c.htm != r.Method {`,
		"if c.htm != r.Method {",
		"dpop",
		[]string{"TestRequestWithoutMethod"},
	},
	{
		"htu is not compared", "dpop/check.go",
		"ok && own == claimed {",
		`ok && own != "" {`,
		"dpop",
		[]string{"TestDifferentURLs", "TestVectors"},
	},
	{
		"the alias of an endpoint is not its URL", "dpop/check.go",
		"[...]string{r.URL, r.AliasURL}",
		"[...]string{r.URL}",
		"dpop",
		[]string{"TestAliasURL"},
	},
	{
		"a slash at the end of htu is ignored", "dpop/htu.go",
		`	return "/" + strings.Join(kept, "/")`,
		`	return "/" + strings.TrimSuffix(strings.Join(kept, "/"), "/")`,
		"dpop",
		[]string{"TestEqualURLs"},
	},
	{
		"htu may have user information", "dpop/htu.go",
		`	host, port := splitPort(authority)
	if len`,
		`	host, port := splitPort(authority[strings.LastIndexByte(authority, '@')+1:])
	if len`,
		"dpop",
		[]string{"TestDifferentURLs"},
	},
	{
		"htu may be http", "dpop/htu.go",
		`scheme == "http" && !loopback(host)`,
		`scheme == "" && !loopback(host)`,
		"dpop",
		[]string{"TestInvalidURLsAreNotEqual"},
	},
	{
		"a slash in htu is one, escaped or not", "dpop/htu.go",
		"if unreserved(c) || plain(c) && !escaped {",
		"if plain(c) || escaped && c == '%' {",
		"dpop",
		[]string{"TestEqualURLs", "TestDifferentURLs"},
	},
	{
		"dot segments of htu stay", "dpop/htu.go",
		"	return withoutDots(string(out)), true",
		"	return string(out), true",
		"dpop",
		[]string{"TestEqualURLs"},
	},
	{
		"a required nonce may be missing", "dpop/check.go",
		`	if err != nil {
		return expires, noNonce.because(err)
	}`,
		`	if err != nil {
		return now, nil
	}`,
		"dpop",
		[]string{"TestVectors", "TestNonceForms"},
	},
	{
		"a nonce never ends", "dpop/nonce.go",
		"|| !now.Before(end) {",
		"{",
		"dpop",
		[]string{"TestNonceLife"},
	},
	{
		"a nonce is valid one instant too long", "dpop/nonce.go",
		"!now.Before(end)",
		"now.After(end)",
		"dpop",
		[]string{"TestNonceLife"},
	},
	{
		"a nonce is valid long before its minute", "dpop/nonce.go",
		"now.Before(start.Add(-nonceAhead)) || ",
		"",
		"dpop",
		[]string{"TestNonceLife"},
	},
	{
		"the hash of a nonce is not compared", "dpop/nonce.go",
		"[]byte(n.tokens.Derive(i, text))) == 1",
		"[]byte(n.tokens.Derive(i, text))) >= 0",
		"dpop",
		[]string{"TestNonceForms", "TestVectors"},
	},
	{
		"nonces of all servers are one", "dpop/nonce.go",
		"seal.NewKeys(server, secrets...)",
		`seal.NewKeys("server", secrets...)`,
		"dpop",
		[]string{"TestNoncesOfOthers"},
	},
	{
		"the first secret alone checks nonces", "dpop/nonce.go",
		"range n.tokens.Len() {",
		"range 1 {",
		"dpop",
		[]string{"TestNoncesOfOthers"},
	},
	{
		"iat may be as old as it likes", "dpop/check.go",
		"case age > maxAge:",
		"case age > maxAge+1:",
		"dpop",
		[]string{"TestTimes"},
	},
	{
		"iat may be ahead", "dpop/check.go",
		"case -age > maxAhead:",
		"case -age > maxAhead+1:",
		"dpop",
		[]string{"TestTimes"},
	},
	{
		"exp of a DPoP proof is ignored", "dpop/check.go",
		"if c.hasExp && !now.Before(",
		"if c.hasExp && now.After(",
		"dpop",
		[]string{"TestTimes"},
	},
	{
		"a DPoP proof is forgotten before it ends", "dpop/check.go",
		"expires = iat.Add(maxAge + maxAhead)",
		"expires = iat.Add(maxAge)",
		"dpop",
		[]string{"TestProofIsRememberedAsLongAsItIsValid"},
	},
	{
		"a DPoP proof needs no ath", "dpop/check.go",
		"err != nil || ath != string(want[:])",
		"err == nil && ath != string(want[:])",
		"dpop",
		[]string{"TestBinding", "TestVectors"},
	},
	{
		"ath is not compared", "dpop/check.go",
		"err != nil || ath != string(want[:])",
		"err != nil || ath == string(want[:1])",
		"dpop",
		[]string{"TestBinding", "TestVectors"},
	},
	{
		"a token that is bound to no key is used with any", "dpop/check.go",
		`if (r.Key != "" || r.AccessToken != "") && r.Key`,
		`if r.Key != "" && r.Key`,
		"dpop",
		[]string{"TestBinding"},
	},
	{
		"the key of a DPoP proof is not compared", "dpop/check.go",
		"&& r.Key != signed.Thumbprint {",
		`&& r.Key == "" {`,
		"dpop",
		[]string{"TestBinding", "TestVectors"},
	},
	{
		"a DPoP proof is remembered for its URL as it is written", "dpop/check.go",
		"			return claimed, nil",
		"			return c.htu, nil",
		"dpop",
		[]string{"TestReplay"},
	},
	{
		"one jti is used once by all keys", "dpop/check.go",
		"identify(signed.Thumbprint, url, c.jti)",
		`identify("", url, c.jti)`,
		"dpop",
		[]string{"TestReplay"},
	},
	{
		"a DPoP proof is accepted although the store is full", "dpop/policy.go",
		`	if err != nil {
		return fmt.Errorf("dpop: replay store: %w", err)
	}`,
		`	if err != nil && !errors.Is(err, storage.ErrFull) {
		return fmt.Errorf("dpop: replay store: %w", err)
	}`,
		"dpop",
		[]string{"TestFaultsOfTheStore"},
	},
	{
		"a DPoP proof is accepted twice", "dpop/policy.go",
		"		return replayed.because(err)",
		"		return nil",
		"dpop",
		[]string{"TestReplay", "TestVectors"},
	},
	{
		"a policy without a store accepts DPoP proofs", "dpop/policy.go",
		`	if p == nil || p.Replay == nil && !p.AllowReplay {
		return errNoPolicy`,
		`	if p == nil {
		return errNoPolicy`,
		"dpop",
		[]string{"TestZeroPolicy"},
	},
	{
		"a DPoP proof that was not checked is consumed", "dpop/policy.go",
		`	if proof.Key == "" {`,
		`	if proof.Key == "-" {`,
		"dpop",
		[]string{"TestUncheckedProof"},
	},
}

package mutations

var dpopDefects = []defect{
	{
		"a DPoP proof may be pushed twice", "authorize/par.go",
		"if proof.Key != \"\" {", "if proof.Key != \"\" && clientID == \"\" {",
		tests("authorize", "TestPushProofIsUsedOnce"),
	},
	{
		"proofs of unauthenticated senders are remembered without a bound", "authorize/par.go",
		"uri, err := e.storePushed(", "if proof.Key != \"\" {\n\t\t_ = e.cfg.DPoP.Consume(ctx, clientID, proof, now)\n\t\tproof.Key = \"\"\n\t}\n\turi, err := e.storePushed(",
		tests("authorize", "TestPushProofFlood"),
	},
	{
		"the key of a DPoP proof replaces dpop_jkt", "authorize/dpop.go",
		"return page(portner.InvalidDPoPProof, \"dpop_jkt_mismatch\", \"The dpop_jkt must be the thumbprint of the key of the DPoP proof.\")", "s.form = s.form.With(jktField, key)",
		tests("authorize", "TestPushProof"),
	},
	{
		"a nonce is required after the client assertion is consumed", "authorize/par.go",
		"if errors.Is(proofErr, dpop.ErrNonce) {", "if errors.Is(proofErr, dpop.ErrNonce) && r.Form.Get(\"client_assertion\") == \"\" {",
		tests("authorize", "TestPushProofWaitsForAuthentication"),
	},
	{
		"a code is not bound to dpop_jkt", "authorize/issue.go",
		", DPoPKey: x.req.dpopKey,", ",",
		tests("authorize", "TestDPoPKey", "TestPushProof"),
	},
	{
		"a token that is bound to a key passes as a bearer token", "internal/bound/bound.go",
		"case cnf.Key != \"\" && r.Scheme != httpx.DPoP:", "case cnf.Key != \"\" && r.Scheme == \"\":",
		tests("resource", "TestBoundTokens"),
	},
	{
		"an API does not consume proofs", "internal/bound/bound.go",
		"_, err := p.Verify(ctx, dpop.Request{", "forgetful := *p\n\tforgetful.Replay, forgetful.AllowReplay = nil, true\n\t_, err := forgetful.Verify(ctx, dpop.Request{",
		tests("resource", "TestProofIsUsedOnce"),
	},
	{
		"a token that is bound to a certificate needs none", "internal/bound/bound.go",
		"case thumbprint == \"\":", "case thumbprint == \"\", r.Certificate == nil:",
		tests("resource", "TestCertificateOfTheConnection"),
	},
	{
		"several DPoP proofs are one", "dpop/check.go",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		"if strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		tests("dpop", "TestNumberOfProofs"),
	},
	{
		"joined DPoP proofs are not counted", "dpop/check.go",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ',') >= 0 {",
		"if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ';') >= 0 {",
		tests("dpop", "TestNumberOfProofs"),
	},
	{
		"a DPoP proof may have crit", "internal/jose/embedded.go",
		`if header.Has("crit") || header.Has("b64") {`,
		`if header.Has("b64") {`,
		tests("dpop", "TestCriticalHeaders", "TestVectors"),
	},
	{
		"a DPoP proof may have b64", "internal/jose/embedded.go",
		`if header.Has("crit") || header.Has("b64") {`,
		`if header.Has("crit") {`,
		tests("dpop", "TestCriticalHeaders"),
	},
	{
		"a DPoP proof has any spelling of typ", "internal/jose/purpose.go",
		"	if p.exact {",
		`	if p.exact && h.Typ == "" {`,
		tests("dpop", "TestTyp"),
	},
	{
		"a DPoP proof has any typ", "internal/jose/embedded.go",
		"if err := purpose.Check(Header{Typ: typ}, claims); err != nil {",
		`if err := purpose.Check(Header{Typ: typ}, claims); err != nil && typ == "" {`,
		tests("dpop", "TestTyp", "TestVectors"),
	},
	{
		"a DPoP proof may be longer", "internal/jose/embedded.go",
		"split(token, MaxToken)",
		"split(token, MaxTokenX5C)",
		tests("dpop", "TestShape"),
	},
	{
		"a DPoP proof has any alg that fits its key", "internal/jose/embedded.go",
		"func(a string) bool { return canonical(a) == alg }",
		"func(string) bool { return Known(alg) }",
		tests("dpop", "TestAlgorithms"),
	},
	{
		"Ed25519 is not EdDSA", "internal/jose/embedded.go",
		"if alg == Ed25519 {",
		`if alg == "" {`,
		tests("dpop", "TestEd25519"),
	},
	{
		"the alg of a DPoP proof need not fit its key", "internal/jose/embedded.go",
		`	if err := Fits(alg, key); err != nil {
		return "", nil, "", err`,
		`	if err := Fits(alg, key); err != nil && alg == "" {
		return "", nil, "", err`,
		tests("dpop", "TestOtherKeys", "TestAlgorithms"),
	},
	{
		"a DPoP proof may have a private key", "internal/jose/jwk.go",
		`[]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}`,
		`[]string{"k"}`,
		tests("dpop", "TestPrivateKeys", "TestVectors"),
	},
	{
		"a DPoP proof may have a huge RSA key", "internal/jose/embedded.go",
		"k.N.BitLen() > MaxEmbeddedRSABits",
		"k.N.BitLen() > MaxRSABits",
		tests("dpop", "TestRSAKeys"),
	},
	{
		"RSA exponents have no bound", "internal/jose/jwk.go",
		"e.BitLen() < 2 || e.BitLen() > 31 ||",
		"e.BitLen() < 2 || e.BitLen() > 62 ||",
		tests("dpop", "TestRSAKeys"),
	},
	{
		"the signature of a DPoP proof is not verified", "internal/jose/embedded.go",
		"if !algorithms[alg].verify([]byte(token[:len(head)+1+len(body)]), sig, key) {",
		`if len(sig) == 0 && alg == "" && key == nil {`,
		tests("dpop", "TestSignatures", "TestVectors"),
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
		tests("dpop", "TestSignatures", "TestVectors"),
	},
	{
		"the thumbprint of a DPoP key has its alg", "internal/jose/embedded.go",
		"	return alg, key, k.thumbprint(), nil",
		`	k.Y += alg
	return alg, key, k.thumbprint(), nil`,
		tests("dpop", "TestVectors", "TestProofsOfJWX"),
	},
	{
		"a DPoP proof needs no jti", "dpop/check.go",
		`err != nil || c.jti == "" || len(c.jti) > maxJTI`,
		`err != nil && c.jti != "" || len(c.jti) > maxJTI`,
		tests("dpop", "TestClaims", "TestVectors"),
	},
	{
		"jti has no bound", "dpop/check.go",
		`c.jti == "" || len(c.jti) > maxJTI`,
		`c.jti == ""`,
		tests("dpop", "TestClaims"),
	},
	{
		"htm has any case", "dpop/check.go",
		"c.htm != r.Method",
		"!strings.EqualFold(c.htm, r.Method)",
		tests("dpop", "TestClaims", "TestVectors"),
	},
	{
		"a request without a method has any htm", "dpop/check.go",
		`if r.Method == "" || c.htm != r.Method {`,
		"if c.htm != r.Method {",
		tests("dpop", "TestRequestWithoutMethod"),
	},
	{
		"htu is not compared", "dpop/check.go",
		"ok && own == claimed {",
		`ok && own != "" {`,
		tests("dpop", "TestDifferentURLs", "TestVectors"),
	},
	{
		"the alias of an endpoint is not its URL", "dpop/check.go",
		"[...]string{r.URL, r.AliasURL}",
		"[...]string{r.URL}",
		tests("dpop", "TestAliasURL"),
	},
	{
		"a slash at the end of htu is ignored", "dpop/htu.go",
		`	return "/" + strings.Join(kept, "/")`,
		`	return "/" + strings.TrimSuffix(strings.Join(kept, "/"), "/")`,
		tests("dpop", "TestEqualURLs"),
	},
	{
		"htu may have user information", "dpop/htu.go",
		`	host, port := splitPort(authority)
	if len`,
		`	host, port := splitPort(authority[strings.LastIndexByte(authority, '@')+1:])
	if len`,
		tests("dpop", "TestDifferentURLs"),
	},
	{
		"htu may be http", "dpop/htu.go",
		`scheme == "http" && !loopback(host)`,
		`scheme == "" && !loopback(host)`,
		tests("dpop", "TestInvalidURLsAreNotEqual"),
	},
	{
		"a slash in htu is one, escaped or not", "dpop/htu.go",
		"if unreserved(c) || plain(c) && !escaped {",
		"if plain(c) || escaped && c == '%' {",
		tests("dpop", "TestEqualURLs", "TestDifferentURLs"),
	},
	{
		"dot segments of htu stay", "dpop/htu.go",
		"	return withoutDots(string(out)), true",
		"	return string(out), true",
		tests("dpop", "TestEqualURLs"),
	},
	{
		"a required nonce may be missing", "dpop/check.go",
		`	if err != nil {
		return expires, noNonce.because(err)
	}`,
		`	if err != nil {
		return now, nil
	}`,
		tests("dpop", "TestVectors", "TestNonceForms"),
	},
	{
		"a nonce never ends", "dpop/nonce.go",
		"|| !now.Before(end) {",
		"{",
		tests("dpop", "TestNonceLife"),
	},
	{
		"a nonce is valid one instant too long", "dpop/nonce.go",
		"!now.Before(end)",
		"now.After(end)",
		tests("dpop", "TestNonceLife"),
	},
	{
		"a nonce is valid long before its minute", "dpop/nonce.go",
		"now.Before(start.Add(-nonceAhead)) || ",
		"",
		tests("dpop", "TestNonceLife"),
	},
	{
		"the hash of a nonce is not compared", "dpop/nonce.go",
		"[]byte(n.tokens.Derive(i, text))) == 1",
		"[]byte(n.tokens.Derive(i, text))) >= 0",
		tests("dpop", "TestNonceForms", "TestVectors"),
	},
	{
		"nonces of all servers are one", "dpop/nonce.go",
		"seal.NewKeys(server, secrets...)",
		`seal.NewKeys("server", secrets...)`,
		tests("dpop", "TestNoncesOfOthers"),
	},
	{
		"the first secret alone checks nonces", "dpop/nonce.go",
		"range n.tokens.Len() {",
		"range 1 {",
		tests("dpop", "TestNoncesOfOthers"),
	},
	{
		"iat may be as old as it likes", "dpop/check.go",
		"case age > maxAge:",
		"case age > maxAge+1:",
		tests("dpop", "TestTimes"),
	},
	{
		"iat may be ahead", "dpop/check.go",
		"case -age > maxAhead:",
		"case -age > maxAhead+1:",
		tests("dpop", "TestTimes"),
	},
	{
		"exp of a DPoP proof is ignored", "dpop/check.go",
		"if c.hasExp && !now.Before(",
		"if c.hasExp && now.After(",
		tests("dpop", "TestTimes"),
	},
	{
		"a DPoP proof is forgotten before it ends", "dpop/check.go",
		"expires = iat.Add(maxAge + maxAhead)",
		"expires = iat.Add(maxAge)",
		tests("dpop", "TestProofIsRememberedAsLongAsItIsValid"),
	},
	{
		"a DPoP proof needs no ath", "dpop/check.go",
		"err != nil || ath != string(want[:])",
		"err == nil && ath != string(want[:])",
		tests("dpop", "TestBinding", "TestVectors"),
	},
	{
		"ath is not compared", "dpop/check.go",
		"err != nil || ath != string(want[:])",
		"err != nil || ath == string(want[:1])",
		tests("dpop", "TestBinding", "TestVectors"),
	},
	{
		"a token that is bound to no key is used with any", "dpop/check.go",
		`if (r.Key != "" || r.AccessToken != "") && r.Key`,
		`if r.Key != "" && r.Key`,
		tests("dpop", "TestBinding"),
	},
	{
		"the key of a DPoP proof is not compared", "dpop/check.go",
		"&& r.Key != signed.Thumbprint {",
		`&& r.Key == "" {`,
		tests("dpop", "TestBinding", "TestVectors"),
	},
	{
		"a DPoP proof is remembered for its URL as it is written", "dpop/check.go",
		"			return claimed, nil",
		"			return c.htu, nil",
		tests("dpop", "TestReplay"),
	},
	{
		"one jti is used once by all keys", "dpop/check.go",
		"identify(signed.Thumbprint, url, c.jti)",
		`identify("", url, c.jti)`,
		tests("dpop", "TestReplay"),
	},
	{
		"a DPoP proof is accepted although the store is full", "dpop/policy.go",
		`	if err != nil {
		return fmt.Errorf("dpop: replay store: %w", err)
	}`,
		`	if err != nil && !errors.Is(err, storage.ErrFull) {
		return fmt.Errorf("dpop: replay store: %w", err)
	}`,
		tests("dpop", "TestFaultsOfTheStore"),
	},
	{
		"a DPoP proof is accepted twice", "dpop/policy.go",
		"		return replayed.because(err)",
		"		return nil",
		tests("dpop", "TestReplay", "TestVectors"),
	},
	{
		"a policy without a store accepts DPoP proofs", "dpop/policy.go",
		`	if p == nil || p.Replay == nil && !p.AllowReplay {
		return errNoPolicy`,
		`	if p == nil {
		return errNoPolicy`,
		tests("dpop", "TestZeroPolicy"),
	},
	{
		"a DPoP proof that was not checked is consumed", "dpop/policy.go",
		`	if proof.Key == "" {`,
		`	if proof.Key == "-" {`,
		tests("dpop", "TestUncheckedProof"),
	},
	{
		"a token that is bound to a key is a bearer token", "internal/bound/bound.go",
		`case cnf.Key != "" && r.Scheme != httpx.DPoP:`, "case false:",
		tests("token", "TestUserInfoOfBoundToken"),
	},
	{
		"a bearer token is accepted as one that is bound to a key", "internal/bound/bound.go",
		`case cnf.Key == "" && r.Scheme != httpx.Bearer:`, "case false:",
		tests("token", "TestUserInfoOfBoundToken"),
	},
	{
		"every certificate is the one of the token", "internal/bound/bound.go",
		"case jose.CertificateThumbprint(r.Certificate.Raw) != thumbprint:", `case jose.CertificateThumbprint(r.Certificate.Raw) == "":`,
		tests("token", "TestUserInfoOfBoundToken"),
	},
	{
		"a code is redeemed without its key", "token/code.go",
		"if !r.Proves(storage.Confirmation{Key: x.code.DPoPKey}) {", "if false {",
		tests("token", "TestCodeBoundToKey"),
	},
	{
		"the refresh tokens of public clients are not bound", "token/mint.go",
		`if in.Refresh && in.rotated.value == "" && in.Client.Public() {`, "if false {",
		tests("token", "TestRefreshBinding"),
	},
	{
		"a refresh token is used without its key", "token/refresh.go",
		"if !r.Proves(x.grant.Confirmation) {", "if false {",
		tests("token", "TestStolenRefreshToken"),
	},
	{
		"a grant handler that authenticates clients issues tokens for rejected proofs", "token/mint.go",
		"if err := m.admit(in.Client.Client); err != nil {", "if err := error(nil); err != nil {",
		tests("token", "TestUnauthenticatedGrantHandlerConsumesAtMint"),
	},
	{
		"tokens are issued for replayed proofs", "token/mint.go",
		"if err := m.consume(ctx, in.Client.Client); err != nil {", "if err := error(nil); err != nil {",
		tests("token", "TestReplayedProof"),
	},
	{
		"requests that are not authenticated record proofs", "token/sender.go",
		"\treturn nil\n}\n\n// alias returns", "\treturn x.minter.consume(context.Background(), &client.Client{})\n}\n\n// alias returns",
		tests("token", "TestUnauthenticatedProofWritesNothing"),
	},
	{
		"a proof for the alias of another host is accepted at an API of the host", "token/sender.go",
		`|| !ok || !strings.HasPrefix(path, "/") {`, "|| !ok {",
		tests("token", "TestAliasIsOfTheIssuerOnly"),
	},
	{
		"a proof with a nonce is forgotten at the end of the nonce, when nodes whose clocks are behind accept it", "dpop/check.go",
		"return end.Add(nonceAhead), nil", "return end, nil",
		tests("dpop", "TestProofWithNonceIsRememberedAsLongAsItsNonce"),
	},
	{
		"requests of a public client without a code or token record proofs", "token/endpoint.go",
		"err = x.minter.admit(c.Client)", "err = x.minter.consume(ctx, c.Client)",
		tests("token", "TestProofFlood"),
	},
	{
		"a client that requires DPoP receives bearer tokens", "token/sender.go",
		`case c.DPoPBoundAccessTokens && s.proof.Key == "":`, "case false:",
		tests("token", "TestClientRules"),
	},
	{
		"a profile that requires bound tokens issues bearer tokens", "token/sender.go",
		"case m.cfg.SenderConstrained && m.confirmation(c) == storage.Confirmation{}:", "case false:",
		tests("token", "TestClientRules"),
	},
	{
		"an exchange makes a bearer token of a bound one", "token/mint.go",
		"&& m.exchangesBound() {", "&& false {",
		tests("exchange", "TestExchangeOfBoundToken"),
	},
	{
		"a public client narrows a stolen bound token", "exchange/presented.go",
		"if x.Client.Public() && !x.Proves(t.Token.Confirmation) {", "if false {",
		tests("exchange", "TestPublicClientNarrowsBoundToken"),
	},
	{
		"every error of a proof looks like a request for a nonce", "token/sender.go",
		"if e.Code == portner.UseDPoPNonce && nonces != nil {", "if nonces != nil {",
		tests("token", "TestUserInfoNonces"),
	},
	{
		"userinfo takes the nonces of the token endpoint", "token/endpoint.go",
		"resource.Nonces = cfg.ResourceNonces", "_ = cfg.ResourceNonces",
		tests("token", "TestUserInfoNonces"),
	},
	{
		"the APIs of a host take bound tokens without their proof", "token/api.go",
		"return t, m.verifySender(ctx, r, scheme, value, &t.Token, &t.Grant, now)", "_, _ = scheme, value\n\treturn t, nil",
		tests("digdir/authorizations", "TestBoundCaller"),
	},
	{
		"a bound token is exchanged for a bearer token of Altinn", "digdir/altinn/server.go",
		`resource.Request{Authorization: x.r.Header["Authorization"], Query: x.r.URL.RawQuery}`, "resource.RequestFrom(x.r)",
		tests("digdir/altinn", "TestBoundTokensAreNotExchanged"),
	},
	{
		"the profile does not require that tokens are bound", "provider/build.go",
		"SenderConstrained: pr.SenderConstrained,", "SenderConstrained: false,",
		tests("provider", "TestFAPIUserInfo"),
	},
	{
		"a profile that binds tokens takes them from a form", "token/userinfo.go",
		`case inForm != "" && x.cfg.SenderConstrained:`, `case inForm == "" && inHeader == "" && x.cfg.SenderConstrained:`,
		tests("provider", "TestFAPIUserInfo"),
	},
}

package mutations

var clientauthDefects = []defect{
	{
		"the certificate of a proxy is that of the client", "resource/protect.go",
		"\trequest.Certificate = nil\n", "",
		tests("resource", "TestCertificateOfTheConnection"),
	},
	{
		"a TLS certificate for servers authenticates a client", "client/tlsauth.go",
		"KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},", "KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},",
		tests("client", "TestTLSClientAuthRejected"),
	},
	{
		"the chain of a TLS certificate is verified by the clock of the machine", "client/tlsauth.go",
		"Intermediates: intermediates, CurrentTime: x.now,", "Intermediates: intermediates,",
		tests("client", "TestTLSClientAuth"),
	},
	{
		"every certificate of an authority authenticates a client", "client/tlsauth.go",
		"if !registered[0].matches(leaf) {", "if leaf == nil {",
		tests("client", "TestTLSClientAuthRejected"),
	},
	{
		"an alternative name of another kind authenticates a client", "client/tlsauth.go",
		"name.Tag == int(n.kind) && n.is(name.Bytes)", "n.is(name.Bytes)",
		tests("client", "TestTLSClientAuthRejected"),
	},
	{
		"a subject with its names in one set is another spelling", "client/dn.go",
		"return slices.EqualFunc(d, other, slices.Equal)", "return slices.Equal(slices.Concat(d...), slices.Concat(other...))",
		tests("client", "TestDNDiffers"),
	},
	{
		"another certificate of a registered key authenticates a client", "client/tlsauth.go",
		"bytes.Equal(k.X5C[0], x.r.Certificate.Raw)", "bytes.Equal(k.X5C[0][:2], x.r.Certificate.Raw[:2])",
		tests("client", "TestSelfSignedTLSClientAuth"),
	},
	{
		"a registered TLS certificate authenticates after it has expired", "client/tlsauth.go",
		"return checkValidity(x.r.Certificate, x.now)", "return nil",
		tests("client", "TestTLSClientAuthToTheSecond"),
	},
	{
		"a forged Client-Cert field is read", "client/certheader.go",
		"func(p netip.Prefix) bool { return p.Contains(peer) })", "func(p netip.Prefix) bool { return p.Contains(peer) || !peer.IsPrivate() })",
		tests("client", "TestCertificateFromHeader"),
	},
	{
		"a wrong secret is ignored beside a TLS certificate", "client/authenticate.go",
		"if presented == None && byCertificate(method) {", "if byCertificate(method) {",
		tests("client", "TestTLSMethodsBesideOthers"),
	},
	{
		"a method that the configuration excludes authenticates a client", "client/authenticate.go",
		"case !x.supports(method):", "case !x.supports(method) && method == PrivateKeyJWT:",
		tests("client", "TestAuthMethods"),
	},
	{
		"the rules of an assertion widen the algorithms of the provider", "client/assertionkey.go",
		"rules.Algorithms = a.allowed(rules.Algorithms)", "if rules.Algorithms == nil {\n\t\trules.Algorithms = a.cfg.SigningAlgorithms\n\t}",
		tests("client", "TestSigningAlgorithms"),
	},
	{
		"of several keys with one kid only the first is tried", "internal/jose/verify.go",
		"k.named(header.KID) && k.fits(header.Alg) == nil &&", "k.named(header.KID) && i == 0 &&",
		tests("internal/jose", "TestVerifyKeysOfOneKID"),
	},
	{
		"failed assertions count as guesses", "client/credentials.go",
		"return c.method == ClientSecretBasic || c.method == ClientSecretPost", "return c.method != None",
		tests("provider", "TestRubbishLocksNoClientOut"),
	},
	{
		"the right secret is refused after the failures of others", "client/authenticate.go",
		"case reason == nil && !slices.ContainsFunc(", "case reason == nil && slices.ContainsFunc(",
		tests("provider", "TestRubbishLocksNoClientOut"),
	},
	{
		"two audiences count as one", "internal/jose/object.go",
		"if err == nil && len(list) != 1 {", "if err == nil && len(list) == 0 {",
		tests("provider", "TestAssertionAudienceOfProfiles"),
	},
	{
		"a kid that names no key is ignored beside a certificate", "client/assertionkey.go",
		"(len(h.X5C) == 0 || rules.StrictKID)", "len(h.X5C) == 0",
		tests("digdir/maskinporten", "TestVectors"),
	},
	{
		"authorities of the operator may have weak keys", "client/businesscert/chain.go",
		"path[min(presented, anchor):anchor]", "path[anchor:anchor]",
		tests("client/businesscert", "TestVerifyWithOwnIntermediates"),
	},
	{
		"two authentication methods in one request are accepted", "client/credentials.go",
		"case used > 1 || len(authorization) > 1:",
		"case len(authorization) > 1:",
		nil,
	},
	{
		"the first of two Authorization fields counts", "client/credentials.go",
		`case used > 1 || len(authorization) > 1:
`,
		`case used > 1:
`,
		nil,
	},
	{
		"the client_id beside Basic credentials is ignored", "client/credentials.go",
		`if clientID != "" && clientID != id {`,
		`if clientID == "" && clientID == id {`,
		nil,
	},
	{
		"an unknown client_assertion_type is accepted", "client/credentials.go",
		`case r.Form.Get("client_assertion_type") != assertionType:`,
		`case r.Form.Get("client_assertion_type") == "":`,
		nil,
	},
	{
		"client_id beside an assertion is not required", "client/credentials.go",
		`case clientID == "" && a.cfg.RequireClientID:`,
		`case clientID == "" && !a.cfg.RequireClientID && assertion == "":`,
		nil,
	},
	{
		"Basic credentials have several spellings", "client/credentials.go",
		"base64.StdEncoding.Strict()",
		"base64.StdEncoding",
		nil,
	},
	{
		"line breaks in Basic credentials are skipped", "client/credentials.go",
		`if strings.ContainsAny(encoded, "\r\n") {`,
		`if strings.ContainsAny(encoded, "\r") {`,
		nil,
	},
	{
		"a secret may have a colon in clear", "client/credentials.go",
		`if !ok || strings.Contains(secret, ":") {`,
		"if !ok {",
		nil,
	},
	{
		"the secret of Basic is not decoded", "client/credentials.go",
		`secret, ok = unescapePart(secret)
`,
		`ok = isPrintable(secret)
`,
		nil,
	},
	{
		"a public client is any client that sends nothing", "client/authenticate.go",
		"case method != presented:",
		"case method != presented && presented != None:",
		nil,
	},
	{
		"a disabled client authenticates", "client/authenticate.go",
		"case registered.Disabled:",
		"case registered.Disabled && registered.Public():",
		nil,
	},
	{
		"a wrong secret is accepted", "client/authenticate.go",
		"return Authenticated{AMR: cred.method}, reason, nil",
		"return Authenticated{AMR: cred.method}, nil, nil",
		nil,
	},
	{
		"private_key_jwt works without a replay store", "client/authenticate.go",
		"return a.cfg.Replay != nil",
		"return true",
		nil,
	},
	{
		"an expired secret is accepted", "client/secret.go",
		"if s.live(now) {",
		"if !now.IsZero() {",
		nil,
	},
	{
		"a secret is valid at its end", "client/secret.go",
		"now.Before(s.ExpiresAt) &&",
		"!now.After(s.ExpiresAt) &&",
		nil,
	},
	{
		"a secret may live longer than 360 days", "client/secret.go",
		" && s.ExpiresAt.Sub(now) <= maxSecretAge",
		"",
		nil,
	},
	{
		"only the first secret is compared", "client/secret.go",
		"if i < len(registered) {",
		"if i < len(registered) && i == 0 {",
		nil,
	},
	{
		"a short secret is registered", "client/secret.go",
		`	if err := portner.Secret(secret).Validate(); err != nil {
		return Secret{}, fmt`,
		`	if err := portner.Secret(secret).Validate(); err != nil && secret == "" {
		return Secret{}, fmt`,
		nil,
	},
	{
		"a secret prints", "client/secret.go",
		`func (Secret) String() string { return "REDACTED" }`,
		"func (s Secret) String() string { return string(s.Hash[:]) }",
		nil,
	},
	{
		"a weak secret is not marked as guessable", "client/secret.go",
		"guessable := portner.Secret(secret).Validate() != nil",
		`guessable := portner.Secret(secret).Validate() != nil && secret == ""`,
		nil,
	},
	{
		"wrong secrets have no limit", "client/attempts.go",
		"a.count >= l.max && l.live(a, now)",
		"a.count > l.max*1000 && l.live(a, now)",
		nil,
	},
	{
		"one wrong secret more than the limit is answered", "client/attempts.go",
		"a.count >= l.max && l.live(a, now)",
		"a.count > l.max && l.live(a, now)",
		nil,
	},
	{
		"the limit of wrong secrets never ends", "client/attempts.go",
		"a.count >= l.max && l.live(a, now)",
		"a.count >= l.max",
		nil,
	},
	{
		"wrong secrets from all addresses are counted together", "client/attempts.go",
		`		b := a.As16()
		h.Write(b[:])
`,
		`		h.WriteByte(1)
`,
		nil,
	},
	{
		"each address of an IPv6 network has guesses of its own", "client/attempts.go",
		"p, _ := a.Prefix(64) // never fails: 64 is a valid length",
		"p, _ := a.Prefix(128) // never fails: 128 is a valid length",
		nil,
	},
	{
		"the IPv4 hosts behind a translator share one count", "client/attempts.go",
		`case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))`,
		`case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[8:12]))`,
		nil,
	},
	{
		"a flood of identifiers frees a client that is limited", "client/attempts.go",
		"if a.count < least.count || a",
		"if a.count > least.count || a",
		nil,
	},
	{
		"a guessable secret is accepted after too many failures", "client/authenticate.go",
		"case reason == nil && !slices.ContainsFunc(registered.Secrets, func(s Secret) bool { return s.Guessable }):",
		"case reason == nil:",
		nil,
	},
	{
		"a client that has to wait counts on", "client/authenticate.go",
		"case reason != nil && wait <= 0:",
		"case reason != nil && wait > 0:",
		nil,
	},
	{
		"the iss of an assertion is not compared", "client/assertion.go",
		`iss, err := claims.String("iss"); err != nil || iss != c.ClientID {`,
		`iss, err := claims.String("iss"); err != nil || iss == "" {`,
		nil,
	},
	{
		"the sub of an assertion is not compared", "client/assertion.go",
		`sub, err := claims.String("sub"); err != nil || sub != c.ClientID {`,
		`sub, err := claims.String("sub"); err != nil || sub == "" {`,
		nil,
	},
	{
		"an assertion for another provider is accepted", "client/assertion.go",
		"case ok && aud == a.cfg.Issuer:",
		`case ok && aud != "":`,
		nil,
	},
	{
		"every client may address the token endpoint", "client/assertion.go",
		"case ok && c.AllowTokenEndpointAudience && aud",
		"case ok && aud",
		nil,
	},
	{
		"a list of audiences is accepted where a string is required", "client/assertion.go",
		"if a.cfg.AssertionAudience == IssuerOrList {",
		"if a.cfg.AssertionAudience != IssuerOrList || true {",
		nil,
	},
	{
		"an assertion lives for a day", "client/assertion.go",
		"case expires.Before(issued) || expires.Sub(issued) > lifetime:",
		"case expires.Before(issued):",
		nil,
	},
	{
		"an assertion from the future is accepted", "client/assertion.go",
		"case issued.After(latest) || notBefore.After(latest):",
		"case notBefore.After(latest) && issued.After(latest.Add(lifetime)):",
		nil,
	},
	{
		"nbf of an assertion is ignored", "client/assertion.go",
		"case issued.After(latest) || notBefore.After(latest):",
		"case issued.After(latest) || notBefore.After(latest.Add(lifetime)):",
		nil,
	},
	{
		"an expired assertion is accepted", "client/assertion.go",
		"case !now.Before(expires.Add(assertionSkew)):",
		"case !now.Before(expires.Add(100 * assertionSkew)):",
		nil,
	},
	{
		"an assertion is valid one instant too long", "client/assertion.go",
		"case !now.Before(expires.Add(assertionSkew)):",
		"case now.After(expires.Add(assertionSkew)):",
		nil,
	},
	{
		"an assertion is forgotten before it ends", "client/assertion.go",
		"key, exp.Add(assertionSkew), now)",
		"key, exp, now)",
		nil,
	},
	{
		"an assertion is accepted twice", "client/assertion.go",
		`case errors.Is(err, storage.ErrConsumed):
		return rejectedReplay, nil
`,
		`case errors.Is(err, storage.ErrConsumed):
		return nil, nil
`,
		nil,
	},
	{
		"an assertion is accepted although the replay store fails", "client/assertion.go",
		`case err != nil:
		return nil, fmt.Errorf("%w: remembering`,
		`case err != nil && now.IsZero():
		return nil, fmt.Errorf("%w: remembering`,
		nil,
	},
	{
		"an assertion needs no jti", "client/assertion.go",
		`err != nil || jti == "" || utf8`,
		"err != nil || utf8",
		nil,
	},
	{
		"the jti of all clients are one", "client/assertion.go",
		`key := storage.HashOf(a.cfg.Issuer + "\x00" + c.ClientID + "\x00" + assertionPurpose`,
		`key := storage.HashOf(a.cfg.Issuer + "\x00" + assertionPurpose`,
		nil,
	},
	{
		"an assertion that fails another check consumes its jti", "client/assertion.go",
		`	legacy, r := x.checkParties(claims, c)
	if r != nil {
		return as, r, nil
	}
	if r, err := x.consume(ctx, claims, c, exp, x.now); r != nil || err != nil {
		return as, r, err
	}
`,
		`	if r, err := x.consume(ctx, claims, c, exp, x.now); r != nil || err != nil {
		return as, r, err
	}
	legacy, r := x.checkParties(claims, c)
	if r != nil {
		return as, r, nil
	}
`,
		nil,
	},
	{
		"assertions without typ are accepted where it is required", "client/assertion.go",
		"if x.cfg.TypedAssertions && !token.typed {",
		"if x.cfg.TypedAssertions && token.typed {",
		nil,
	},
	{
		"the keys of a client that were replaced are accepted", "client/assertion.go",
		"if ok && bytes.Equal(set.jwks, jwks) {",
		"if ok && len(set.jwks) > 0 {",
		nil,
	},
	{
		"registered keys do not expire", "client/assertionkey.go",
		"if !c.KeysUploadedAt.IsZero() && !now.Before(c.KeysUploadedAt.Add(maxKeyAge)) {",
		"if !c.KeysUploadedAt.IsZero() && now.Before(c.KeysUploadedAt) {",
		nil,
	},
	{
		"the certificate of a registered key may be of any organisation", "client/assertionkey.go",
		`if c.OrganisationNo != "" && cert.Orgno != c.OrganisationNo && cert.Orgno != c.SupplierOrgno {`,
		`if c.OrganisationNo == "" && cert.Orgno != c.SupplierOrgno {`,
		nil,
	},
	{
		"a business certificate of another organisation signs for a client", "client/assertionkey.go",
		`	if cert.Orgno != c.OrganisationNo {
`,
		`	if cert.Orgno == "" {
`,
		nil,
	},
	{
		"x5c without kid is accepted from a client with registered keys", "client/assertionkey.go",
		`case h.KID == "" && len(h.X5C) > 0:
`,
		`case h.KID == "" && len(h.X5C) > 1<<20:
`,
		then("digdir/maskinporten"),
	},
	{
		"another certificate in the header is ignored", "client/assertionkey.go",
		"if len(h.X5C) > 0 && !bytes.Equal(h.X5C[0], key.X5C[0]) {",
		"if len(h.X5C) > 0 && len(h.X5C[0]) == 0 {",
		then("digdir/maskinporten"),
	},
	{
		"a certificate with an algorithm that is not allowed signs", "client/assertionkey.go",
		"case !slices.Contains(rules.Algorithms, h.Alg): // before",
		"case rules.Algorithms == nil: // before",
		then("digdir/maskinporten"),
	},
	{
		"a self-signed certificate for encryption authenticates", "client/tlsauth.go",
		`return len(k.X5C) > 0 && k.Use != "enc" }`,
		"return len(k.X5C) > 0 }",
		nil,
	},
	{
		"a TLS certificate is valid before its beginning", "client/tlsauth.go",
		`	case now.Before(c.NotBefore):
		return rejectedTLSNotYetValid
`,
		"",
		nil,
	},
	{
		"a TLS certificate ends one instant too early", "client/tlsauth.go",
		"case now.After(c.NotAfter):",
		"case !now.Before(c.NotAfter):",
		nil,
	},
	{
		"a client with two registered names authenticates with the first", "client/tlsauth.go",
		"if len(registered) != 1 || registered[0].broken() != nil {",
		"if len(registered) == 0 || registered[0].broken() != nil {",
		nil,
	},
	{
		"a chain of any length is verified", "client/tlsauth.go",
		"if len(intermediates) >= businesscert.MaxCertificates {",
		"if len(intermediates) >= 1000*businesscert.MaxCertificates {",
		nil,
	},
	{
		"a TLS certificate with a weak key authenticates", "client/tlsauth.go",
		`if jose.AlgFor(c.PublicKey) == "" {`,
		"if c.PublicKey == nil {",
		nil,
	},
	{
		"an email address differs in the case of its host", "client/tlsauth.go",
		"return ok && wantLocal == local && equalHost(wantHost, host)",
		"return ok && wantLocal == local && wantHost == host",
		nil,
	},
}

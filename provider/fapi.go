package provider

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
)

// FAPI2 returns the FAPI 2.0 Security Profile (Final, February 2025) for an OpenID provider: pushed requests of confidential clients
// that authenticate with keys or certificates, PKCE, access tokens that are bound to a key of the client, refresh tokens that are not
// rotated, and PS256, ES256 and EdDSA only. New rejects a configuration that breaks the profile, and names the section of the
// specification and the field. Clients whose registrations break it are rejected like
// unknown ones; see Profile.CheckClient. [Provider.Report] lists every requirement.
//
// Config.PushedRequests is required, and Config.DPoP, Config.MTLSURL or both, with which clients bind tokens. For private_key_jwt set
// Config.Replay, and for tls_client_auth Config.TLSClientCAs. Serve with [TLSConfig].
func FAPI2() Profile {
	pr := OpenIDConnect()
	pr.Name = "FAPI 2.0 Security Profile"
	pr.RequiredParameters = []string{"request_uri", "code_challenge"}
	pr.AssertionAudience, pr.AssertionLifetime, pr.IssuerAudienceOnly = client.IssuerString, 0, true
	pr.ClientMethods = fapiMethods()
	pr.SigningAlgorithms = fapiAlgorithms()
	pr.SenderConstrained = true
	pr.ReuseRefreshTokens = true
	pr.SecureRedirectURIs = true
	pr.ResponseModes, pr.RequireNBF = slices.Concat([]string{"query", "form_post"}, jarmModes()), true
	pr.Lifetimes.AccessToken, pr.Lifetimes.Code, pr.Lifetimes.PushedRequest = 10*time.Minute, 60*time.Second, 90*time.Second
	pr.rules = fapiRules
	return pr
}

// FAPI2MessageSigning returns FAPI 2.0 Message Signing (Final, September 2025) over the profile of FAPI2: pushed requests are signed request
// objects, and responses of the authorization endpoint are JWTs.
func FAPI2MessageSigning() Profile {
	pr := FAPI2()
	pr.Name = "FAPI 2.0 Message Signing"
	pr.RequiredParameters = append(pr.RequiredParameters, "request")
	pr.ResponseModes = jarmModes()
	pr.rules = slices.Concat(fapiRules, signingRules)
	return pr
}

func fapiMethods() []string {
	return []string{client.PrivateKeyJWT, client.TLSClientAuth, client.SelfSignedTLSClientAuth}
}

func fapiAlgorithms() []string { return []string{keyset.PS256, keyset.ES256, keyset.EdDSA} }

func jarmModes() []string { return []string{"jwt", "query.jwt", "form_post.jwt"} }

// TLSConfig returns a configuration for the listeners of a provider and for its outgoing requests: TLS 1.2 with the cipher suites of BCP 195
// (RFC 9325 §4.2), and TLS 1.3. The listener of Config.MTLSURL also needs ClientAuth = tls.RequestClientCert: the provider
// verifies certificates for each client. Browsers need the field Strict-Transport-Security on every response, which a host sets
// itself, because it concerns the whole host name.
func TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}}
}

// Requirement is a requirement of the profile of a provider.
type Requirement struct {
	// Section is the specification with the number of the clause: "FAPI 2.0 Security Profile §5.3.2.1-11".
	Section string
	// Text is what the clause requires, in the words of this project.
	Text string
	// Met is how the provider meets it. The part after "host:" is the duty of the host.
	Met string
	// Field is the field of Config that New verifies, "" if no configuration can break the requirement.
	Field string
}

// Report returns the requirements of the profile and how the provider meets them, in the order of the specification. It returns nil for
// profiles without such a list: IDPorten and OpenIDConnect.
func (p *Provider) Report() []Requirement { return slices.Clone(p.report) }

// report returns the requirements of a profile.
func (pr *Profile) report() []Requirement {
	var all []Requirement
	for _, r := range pr.rules {
		all = append(all, Requirement{r.section, r.text, r.met, r.field})
	}
	return all
}

// rule is a requirement, and what New verifies for it.
type rule struct {
	section, text, met string

	field   string               // of Config
	ok      func(c *Config) bool // whether the field has an allowed value; nil with field ""
	want    string               // the rule of the error
	members []string             // members of registrations that CheckClient verifies for the requirement
}

// checkRules records the fields that break the profile.
func (c *Config) checkRules(p *problems) {
	for _, r := range c.Profile.rules {
		if r.ok != nil && !r.ok(c) {
			p.once(r.field, errors.New(r.section+": "+r.want))
		}
	}
}

// cite returns the section that requires a value of a member of registrations, with a colon, or "".
func (pr *Profile) cite(member string) string {
	name, _, _ := strings.Cut(member, "[")
	for _, r := range pr.rules {
		if slices.Contains(r.members, name) {
			return r.section + ": "
		}
	}
	return ""
}

// subset reports whether values are not empty and each is allowed.
func subset(values, allowed []string) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(allowed, v) })
}

// bindsTokens reports whether clients can bind access tokens.
func (c *Config) bindsTokens() bool { return c.DPoP != nil || c.MTLSURL != "" }

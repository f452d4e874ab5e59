package provider

import (
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/token"
)

const (
	securityProfile = "FAPI 2.0 Security Profile §"
	messageSigning  = "FAPI 2.0 Message Signing §"
)

// fapiRules are the requirements of the FAPI 2.0 Security Profile for authorization servers (docs/spec/fapi.md §1).
var fapiRules = []rule{
	{
		section: securityProfile + "5.2.1", text: "TLS 1.2 or later with the cipher suites of BCP 195",
		met:   "host: the listeners use TLSConfig; the issuer is https",
		field: "Issuer", want: "must be https",
		ok: func(c *Config) bool { return c.Issuer == "" || strings.HasPrefix(c.Issuer, "https://") },
	},
	{
		section: securityProfile + "5.2.2", text: "Browsers never use plain HTTP, and other origins cannot call the authorization endpoint",
		met:   "host: Strict-Transport-Security on every response; the authorization endpoint has no CORS fields",
		field: "BrowserURL", want: "must be https",
		ok: func(c *Config) bool { return c.BrowserURL == "" || strings.HasPrefix(c.BrowserURL, "https://") },
	},
	{
		section: securityProfile + "5.3.2.1-1", text: "Metadata of the authorization server",
		met: "/.well-known/openid-configuration and /.well-known/oauth-authorization-server (RFC 8414)",
	},
	{
		section: securityProfile + "5.3.2.1-2", text: "No grant of resource owner credentials",
		met:   "the grant type password does not exist",
		field: "GrantHandlers", want: "must not handle the grant type password",
		ok: func(c *Config) bool {
			return !slices.ContainsFunc(c.GrantHandlers, func(h token.GrantHandler) bool { return h.Type == "password" })
		},
	},
	{
		section: securityProfile + "5.3.2.1-3", text: "Confidential clients only",
		met:   "registrations with the method none are not found",
		field: "Profile.ClientMethods", want: "must not be empty and must not have " + client.None,
		ok: func(c *Config) bool {
			return len(c.Profile.ClientMethods) > 0 && !slices.Contains(c.Profile.ClientMethods, client.None)
		},
	},
	{
		section: securityProfile + "5.3.2.1-4", text: "Sender-constrained access tokens only",
		met:   "a token request without a proof or certificate is rejected, whatever its grant; userinfo verifies the binding, and introspection returns it",
		field: "Profile.SenderConstrained", want: "must be true",
		ok: func(c *Config) bool { return c.Profile.SenderConstrained },
	},
	{
		section: securityProfile + "5.3.2.1-5", text: "Tokens are bound by mutual TLS or DPoP",
		met:   "Config.DPoP (RFC 9449), Config.MTLSURL (RFC 8705) or both; the registration of a client can require one",
		field: "DPoP", want: "is required, or MTLSURL",
		ok: func(c *Config) bool { return c.bindsTokens() },
	},
	{
		section: securityProfile + "5.3.2.1-6", text: "Clients authenticate with mutual TLS or private_key_jwt",
		met:     "registrations with another method or a secret are not found",
		members: []string{"token_endpoint_auth_method", "client_secrets"},
		field:   "Profile.ClientMethods", want: "must be one or more of " + list(fapiMethods()),
		ok: func(c *Config) bool { return subset(c.Profile.ClientMethods, fapiMethods()) },
	},
	{
		section: securityProfile + "5.3.2.1-7", text: "No open redirector",
		met: "redirect URIs are compared as strings with the registered ones, also after logout; other requests get a page",
	},
	{
		section: securityProfile + "5.3.2.1-8", text: "The audience of client assertions is the issuer as a string",
		met:     "arrays and URLs of endpoints are rejected, whatever the registration says",
		members: []string{"allow_token_endpoint_audience"},
		field:   "Profile.AssertionAudience", want: "must be client.IssuerString, and IssuerAudienceOnly true",
		ok: func(c *Config) bool {
			return c.Profile.AssertionAudience == client.IssuerString && c.Profile.IssuerAudienceOnly
		},
	},
	{
		section: securityProfile + "5.3.2.1-9", text: "Refresh tokens are not rotated",
		met:     "a refresh token stays the same, and needs the authentication of its client and a new proof",
		members: []string{"refresh_token_usage"},
		field:   "Profile.ReuseRefreshTokens", want: "must be true",
		ok: func(c *Config) bool { return c.Profile.ReuseRefreshTokens },
	},
	{
		section: securityProfile + "5.3.2.1-10", text: "Nonces in DPoP proofs are optional",
		met: "Profile.DPoPNonce requires them at the token endpoint",
	},
	{
		section: securityProfile + "5.3.2.1-11", text: "Authorization codes live at most 60 seconds",
		met:   "Lifetimes.Code",
		field: "Lifetimes.Code", want: "must be at most 60 s",
		ok: func(c *Config) bool { return c.Lifetimes.Code <= 60*time.Second },
	},
	{
		section: securityProfile + "5.3.2.1-12", text: "Codes are bound to the DPoP key of the request",
		met: "the parameter dpop_jkt and the DPoP field of a pushed request (RFC 9449 §10)",
	},
	{
		section: securityProfile + "5.3.2.1-13", text: "Times up to 10 seconds ahead are accepted, and more than 60 seconds ahead rejected",
		met:   "client assertions and request objects have a leeway of 10 s, proofs DPoP.MaxAhead",
		field: "DPoP.MaxAhead", want: "must be 10 s to 60 s",
		ok: func(c *Config) bool {
			return c.DPoP == nil || c.DPoP.MaxAhead == 0 || c.DPoP.MaxAhead >= 10*time.Second && c.DPoP.MaxAhead <= 60*time.Second
		},
	},
	{
		section: securityProfile + "5.3.2.1-14", text: "A token has no more rights than its purpose needs",
		met: "tokens have the scopes of the request that the client registered, its organisation has and the user granted",
	},
	{
		section: securityProfile + "5.3.2.2-1", text: "response_type is code",
		met: "no other response type exists",
	},
	{
		section: securityProfile + "5.3.2.2-2", text: "Pushed authorization requests with client authentication",
		met:   "/par (RFC 9126)",
		field: "PushedRequests", want: "is required",
		ok: func(c *Config) bool { return c.PushedRequests != nil },
	},
	{
		section: securityProfile + "5.3.2.2-3", text: "Authorization requests that were not pushed are rejected",
		met:   "request_uri is required of every client; other parameters beside it have no effect",
		field: "Profile.RequiredParameters", want: "must include request_uri",
		ok: func(c *Config) bool { return slices.Contains(c.Profile.RequiredParameters, "request_uri") },
	},
	{
		section: securityProfile + "5.3.2.2-4", text: "Pushed requests without client authentication are rejected",
		met: "/par authenticates as the token endpoint does",
	},
	{
		section: securityProfile + "5.3.2.2-5", text: "PKCE with S256",
		met:   "code_challenge is required of every client, and plain does not exist",
		field: "Profile.RequiredParameters", want: "must include code_challenge",
		ok: func(c *Config) bool { return slices.Contains(c.Profile.RequiredParameters, "code_challenge") },
	},
	{
		section: securityProfile + "5.3.2.2-6", text: "redirect_uri is part of the pushed request",
		met: "it is required, and must be registered",
	},
	{
		section: securityProfile + "5.3.2.2-7", text: "Responses name the issuer",
		met: "the parameter iss of every response, also of errors (RFC 9207)",
	},
	{
		section: securityProfile + "5.3.2.2-8", text: "No http redirect URI but that of a native application on loopback",
		met:     "registrations with another one are not found",
		members: []string{"redirect_uris"},
		field:   "Profile.SecureRedirectURIs", want: "must be true",
		ok: func(c *Config) bool { return c.Profile.SecureRedirectURIs },
	},
	{
		section: securityProfile + "5.3.2.2-9", text: "A code is accepted once",
		met: "the second use is rejected, and ends the grant with its tokens",
	},
	{
		section: securityProfile + "5.3.2.2-10", text: "No redirect with status 307",
		met: "redirects to clients have status 303",
	},
	{
		section: securityProfile + "5.3.2.2-11", text: "303 after the user sent credentials",
		met: "responses to forms have status 303",
	},
	{
		section: securityProfile + "5.3.2.2-12", text: "A request_uri lives less than 600 seconds",
		met:   "Lifetimes.PushedRequest",
		field: "Lifetimes.PushedRequest", want: "must be less than 600 s",
		ok: func(c *Config) bool { return c.Lifetimes.PushedRequest < 600*time.Second },
	},
	{
		section: securityProfile + "5.3.2.2-13", text: "The user learns what a consent grants, and to whom",
		met: "host: the consent page shows the scopes and details of Pending and the name of the client",
	},
	{
		section: securityProfile + "5.3.2.2-14", text: "nonce of at least 64 characters",
		met: "nonce up to 512 characters",
	},
	{
		section: securityProfile + "5.3.4", text: "Protected resources take tokens from the Authorization field only and verify validity, scope and binding",
		met: "userinfo and package resource; host: APIs use package resource with the rule SenderConstrained",
	},
	{
		section: securityProfile + "5.4.1-1", text: "PS256, ES256 or EdDSA with Ed25519",
		met:     "for client assertions, request objects, proofs, id_tokens, access tokens and responses",
		members: []string{"id_token_signed_response_alg", "access_token_signed_response_alg", "authorization_signed_response_alg", "introspection_signed_response_alg"},
		field:   "Profile.SigningAlgorithms", want: "must be one or more of " + list(fapiAlgorithms()),
		ok: func(c *Config) bool { return subset(c.Profile.SigningAlgorithms, fapiAlgorithms()) },
	},
	{
		section: securityProfile + "5.4.1-1", text: "Proofs are signed with these algorithms",
		met:   "Config.DPoP",
		field: "DPoP.Algorithms", want: "must be one or more of " + list(fapiAlgorithms()),
		ok: func(c *Config) bool { return c.DPoP == nil || subset(c.DPoP.SupportedAlgorithms(), fapiAlgorithms()) },
	},
	{
		section: securityProfile + "5.4.1", text: "The keys of the provider are for these algorithms",
		met:   "Config.Keys",
		field: "Keys", want: "must sign with " + list(fapiAlgorithms()) + " only",
		ok: func(c *Config) bool { return c.signsOnly(fapiAlgorithms()) },
	},
	{
		section: securityProfile + "5.4.1-2", text: "RSA keys of 2048 bits or more, elliptic curves of 224 bits or more",
		met: "smaller keys are rejected in registrations, proofs and key sets; the curves are P-256 and Ed25519",
	},
	{
		section: securityProfile + "5.4.1-4", text: "Codes, tokens and request_uri values have 128 bits of entropy or more",
		met: "they are random values of 256 bits or signatures",
	},
	{
		section: securityProfile + "5.4.2", text: "Keys are published over TLS, and x5u and jku are not used",
		met: "/jwks.json; header parameters never lead to a key",
	},
	{
		section: securityProfile + "5.4.3", text: "Keys have distinct kid values, and a key is selected by kid, type, use and algorithm",
		met: "Config.Keys has distinct identifiers; each registered key that fits is tried",
	},
}

// signingRules are the requirements of FAPI 2.0 Message Signing for authorization servers (docs/spec/fapi.md §2).
var signingRules = []rule{
	{
		section: messageSigning + "5.3.1-1", text: "Pushed requests are signed request objects",
		met:   "a pushed request without one is rejected",
		field: "Profile.RequiredParameters", want: "must include request",
		ok: func(c *Config) bool { return slices.Contains(c.Profile.RequiredParameters, "request") },
	},
	{
		section: messageSigning + "5.3.1-2", text: "The audience of a request object is the issuer, or an array with it",
		met: "another one is rejected",
	},
	{
		section: messageSigning + "5.3.1-3", text: "nbf is at most 60 minutes old",
		met:   "nbf is required, and an older one rejected",
		field: "Profile.RequireNBF", want: "must be true",
		ok: func(c *Config) bool { return c.Profile.RequireNBF },
	},
	{
		section: messageSigning + "5.3.1-4", text: "exp is at most 60 minutes after nbf",
		met: "exp is required, and a later one rejected",
	},
	{
		section: messageSigning + "5.3.1-5", text: "The header typ oauth-authz-req+jwt is accepted",
		met: "beside JWT and none; every other typ is rejected",
	},
	{
		section: messageSigning + "5.3.3", text: "The registration names the response modes of a client",
		met:     "the member response_modes, with JWT modes only",
		members: []string{"response_modes"},
		field:   "Profile.ResponseModes", want: "must be one or more of " + list(jarmModes()),
		ok: func(c *Config) bool { return subset(c.Profile.ResponseModes, jarmModes()) },
	},
	{
		section: messageSigning + "5.4.1-1", text: "Responses of the authorization endpoint are signed",
		met: "the modes jwt, query.jwt and form_post.jwt (JARM); a request without one of them is rejected",
	},
	{
		section: messageSigning + "5.5.1", text: "Introspection responses can be signed",
		met: "for the Accept type application/token-introspection+jwt (RFC 9701)",
	},
	{
		section: messageSigning + "5.6", text: "id_tokens are signed",
		met: "with the algorithms of the profile; none does not exist",
	},
}
